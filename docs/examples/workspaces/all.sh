#!/bin/sh
# Syncs all workspaces, three at once: sh all.sh. One that fails does not keep the others from running.
# The exit code is 0 if all have succeeded, 123 if any has failed, 75 if the last all.sh is still running.
exec 9> all.lock
flock --nonblock 9 || exit 75
# This makes or migrates Meltano's database; left to the runs, several do it at once, and all but one fail.
# Another machine may be doing it just now: then it is done at the second try.
ready() { meltano state list > /dev/null 2>&1; }
ready || { sleep "${WAIT:-15}"; ready; } || { echo "Meltano's database cannot be used: run meltano state list to see why"; exit 1; }
xargs -P "${AT_ONCE:-3}" -n 1 sh one.sh < workspaces.txt
