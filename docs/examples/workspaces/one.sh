#!/bin/sh
# Syncs one workspace: sh one.sh NAME. Its key is in the file secrets/NAME, and in the environment of this run alone.
# What else is its own, such as NAME_SUBDOMAIN, stands in .env.
export WORKSPACE="$1"
key=$(cat "secrets/$1") || exit 1
export "TAP_VITALLY_$(echo "$1" | tr 'a-z-' 'A-Z_')_API_KEY=$key"
mkdir -p logs "output/$1"
if timeout -k 30 "${LIMIT:-3600}" meltano run "tap-vitally-$1" target-jsonl > "logs/$1.log" 2>&1
then echo "ok      $1"
else echo "FAILED  $1 ($?): logs/$1.log"; exit 1
fi
