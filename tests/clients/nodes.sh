# Starting and ending Trunkline nodes, for the scripts beside it. Sourced; needs TRUNKLINE_BIN and SCRATCH.

started=()

# start_node NAME [ADDRESS]: a node over $SCRATCH/NAME; sets NODE_URL and NODE_PID once it answers.
start_node() {
  local log=$SCRATCH/$1.log tries=0
  "$TRUNKLINE_BIN" serve "$SCRATCH/$1" --listen "${2:-127.0.0.1:0}" --log warn >"$log" 2>&1 &
  NODE_PID=$!
  started+=("$NODE_PID")
  NODE_URL=
  until NODE_URL=$(grep -som1 'http://[0-9.:]*' "$log") && curl -fs -o /dev/null "$NODE_URL/_up"; do
    if ! kill -0 "$NODE_PID" 2>/dev/null || [ $((tries += 1)) -gt 200 ]; then
      echo "$1 does not answer:" >&2
      cat "$log" >&2
      return 1
    fi
    sleep 0.05
  done
}

# free_port: a port that nobody listens on now, for programs that cannot take one themselves.
free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# end_all: ends what was started here, politely, then not.
end_all() {
  local pid
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${started[@]}"; do
    for _ in $(seq 1 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  started=()
}
