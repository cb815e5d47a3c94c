#!/bin/sh
# Writes an extractor for each line of workspaces.txt: sh workspaces.sh
{
  echo "plugins:"
  echo "  extractors:"
  for workspace in $(cat workspaces.txt); do # whatever lines are empty, or do not end
    echo "  - {name: tap-vitally-$workspace, inherit_from: tap-vitally}"
  done
} > workspaces.meltano.yml
