#!/bin/sh
# Goes a newcomer's way from a fresh clone to served lists of the demo and of data of one's own, and
# prints the seconds of each step.
#
#     sh benchmarks/first_hour.sh [FOLDER]
#
# FOLDER holds the two files of a data set; by default the fabricated bookshop. PORT= is the port of
# the server, 5001 by default. Fails at the first step that fails.
set -eu
cd "$(dirname "$0")/.."
PORT=${PORT:-5001}
started=$(date +%s)
server=
trap '[ -z "$server" ] || kill "$server"' EXIT

step() {
    name=$1
    shift
    before=$(date +%s)
    "$@" > build/first_hour.log 2>&1 || { cat build/first_hour.log; echo "Failed: $name"; exit 1; }
    echo "$name: $(($(date +%s) - before)) s"
}

serve() {
    .venv/bin/kedro serve --env "$1" --port "$PORT" > build/first_hour_server.log 2>&1 &
    server=$!
    for _ in $(seq 120); do
        curl -fs "http://127.0.0.1:$PORT/ping" && return 0
        sleep 1
    done
    return 1
}

ask() {
    curl -fs "http://127.0.0.1:$PORT/invocations" -H 'Content-Type: application/json' \
        -d "{\"dataframe_records\": [{\"user_id\": \"$1\"}]}" | tee build/first_hour_answer.json
}

mkdir -p build
step "make install" make install
step "make demo" make demo
step "kedro run --env demo --pipelines=deploy" .venv/bin/kedro run --env demo --pipelines=deploy
step "kedro serve --env demo, until it answers" serve demo
step "curl" ask 1
head -c 300 build/first_hour_answer.json
echo
kill "$server"
server=
folder=${1:-data/01_raw/bilingual}
[ $# -gt 0 ] || step "python -m longtail.demo bilingual" .venv/bin/python -m longtail.demo bilingual
step "kedro new-data first_hour $folder" .venv/bin/kedro new-data first_hour "$folder"
step "kedro run --env first_hour" .venv/bin/kedro run --env first_hour
step "kedro run --env first_hour --pipelines=deploy" \
    .venv/bin/kedro run --env first_hour --pipelines=deploy
ls data/first_hour/07_model_output/deployed_lists*
echo "From the clone to lists for every user of both data sets: $(($(date +%s) - started)) s"
