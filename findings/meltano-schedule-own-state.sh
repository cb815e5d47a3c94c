#!/bin/sh
# Meltano 4.4.1 keeps the STATE of a schedule that names an extractor and a loader under the schedule's name. `meltano run` with the
# same two keeps its STATE under their names: its first run after the schedule reads everything again, with exit code 0. A schedule of
# a job shares the STATE of `meltano run`.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check meltano==4.4.1 2> log || { cat log; exit 1; }

# A tap of one row that writes down if it was given a STATE, and a target that hands the STATE on.
cat > tap-one <<'EOF'
#!/bin/sh
case " $* " in
*" --discover "*)
  echo '{"streams": [{"tap_stream_id": "rows", "stream": "rows", "schema": {"properties": {"id": {"type": "integer"}}}}]}'
  exit ;;
*" --state "*) echo "went on from a STATE" >> "$SEEN" ;;
*) echo "read everything" >> "$SEEN" ;;
esac
echo '{"type": "SCHEMA", "stream": "rows", "schema": {"properties": {"id": {"type": "integer"}}}, "key_properties": ["id"]}'
echo '{"type": "RECORD", "stream": "rows", "record": {"id": 1}}'
echo '{"type": "STATE", "value": {"bookmarks": {"rows": {"id": 1}}}}'
EOF
cat > target-none <<'EOF'
#!/bin/sh
sed -n 's/^{"type": "STATE", "value": \(.*\)}$/\1/p'
EOF
chmod +x tap-one target-none
cat > meltano.yml <<EOF
version: 1
project_id: finding
send_anonymous_usage_stats: false
plugins:
  extractors:
  - {name: tap-one, namespace: tap_one, executable: $folder/tap-one, capabilities: [catalog, discover, state]}
  loaders:
  - {name: target-none, namespace: target_none, executable: $folder/target-none}
jobs:
- {name: sync, tasks: [tap-one target-none]}
schedules:
- {name: of-plugins, extractor: tap-one, loader: target-none, interval: '@daily', transform: skip}
- {name: of-a-job, job: sync, interval: '@daily'}
environments:
- name: dev
default_environment: dev
EOF
export SEEN="$folder/seen" MELTANO_CLI_LOG_LEVEL=error
touch "$SEEN"
step() {
  env/bin/meltano "$@" >> log 2>&1 || { cat log; exit 1; }
  echo "meltano $*: $(tail -n 1 "$SEEN")"
}
echo "Meltano 4.4.1:"
step schedule run of-plugins
step schedule run of-plugins
step run tap-one target-none
step schedule run of-a-job
env/bin/meltano state list 2> /dev/null | sed 's/^/  STATE of: /'
printf 'read everything\nwent on from a STATE\nread everything\nwent on from a STATE\n' | diff - "$SEEN"
