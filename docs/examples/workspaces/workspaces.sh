#!/bin/sh
# Writes an extractor for each line of workspaces.txt: sh workspaces.sh
{
  echo "plugins:"
  echo "  extractors:"
  while read -r workspace || [ "$workspace" ]; do # also a last line that does not end
    echo "  - {name: tap-vitally-$workspace, inherit_from: tap-vitally}"
  done < workspaces.txt
} > workspaces.meltano.yml
