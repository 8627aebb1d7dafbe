# shellcheck shell=bash
# Starts Catalog, Rollouts, Gateway and Compliance as processes of their own, or all in one. Sourced by demo.sh.

random_hex() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }

# secret NAME: made on first use, readable by its owner only.
secret() {
    [ -s "$STATE/$1" ] || (umask 077 && random_hex 32 > "$STATE/$1")
    cat "$STATE/$1"
}

upper() { printf '%s' "$1" | tr '[:lower:]-' '[:upper:]_'; }

service_port() { port "$(upper "$1")"; }
service_url()  { if [ "$EMBEDDED" = 1 ]; then printf 'http://127.0.0.1:%s' "$(port STANDALONE)"; else printf 'http://127.0.0.1:%s' "$(service_port "$1")"; fi; }
agents_url()   { printf 'http://127.0.0.1:%s' "$(port GATEWAY_AGENTS)"; }

# Settings that all services take; docker-compose.yml gives the same names (tests/Unit/House compares).
service_environment() {
    export Store__ConnectionString=$1
    export Bus__Transport=$2
    export Bus__Uri=$3
    export Access__Token
    export Catalog__TrustFolder=$STATE/trust
    export Catalog__PackageFolder=$STATE/packages/catalog
    export Gateway__AgentUrl
    export Gateway__CatalogUrl
    export Gateway__EnrolmentToken
    export Gateway__PackageFolder=$STATE/packages/gateway
    export Telemetry__OtlpEndpoint=${OTEL_EXPORTER_OTLP_ENDPOINT:-}
    Access__Token=$(secret token)
    Gateway__AgentUrl=$(agents_url)
    Gateway__CatalogUrl=$(service_url catalog)
    Gateway__EnrolmentToken=$(secret enrolment-token)
    mkdir -p "$STATE/packages/catalog" "$STATE/packages/gateway" "$STATE/trust"
}

start_services() {
    local name project
    if [ "$EMBEDDED" = 1 ]; then
        start_service standalone Standalone "$(port STANDALONE)"
        wait_ready standalone "$(port STANDALONE)"
        return
    fi
    while read -r name project _; do
        start_service "$name" "${project#services/}" "$(service_port "$name")"
    done < <(services)
    while read -r name _; do wait_ready "$name" "$(service_port "$name")"; done < <(services)
}

start_service() {
    local name=$1 folder=$ARTIFACTS/$2 port=$3
    (cd "$folder" && launch "$name" "$STATE/log/$name.log" env DOTNET_gcServer=0 "./Hotpatch.$2" --urls "http://127.0.0.1:$port")
}

wait_ready() {
    wait_until 60 ready_or_dead "$1" "$2" && running "$1" || die_with_log "$STATE/log/$1.log" "$1 is not ready on port $2"
}

ready_or_dead() { ! running "$1" || http_ok "$2" /health/ready; }

# http_ok PORT PATH: true when the answer is 200; needs no curl.
http_ok() {
    local status
    status=$(
        exec 2> /dev/null 3<> "/dev/tcp/127.0.0.1/$1" || exit
        printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$2" >&3
        IFS=' ' read -r -t 5 _ status _ <&3 && printf '%s' "$status"
    ) || true
    [ "$status" = 200 ]
}

# The command line's settings: one context, the services and the token.
write_cli_config() {
    export HOTPATCH_CONFIG=$STATE/hotpatch.json
    export PATH="$ARTIFACTS/Cli:$PATH"
    (umask 077 && cat > "$HOTPATCH_CONFIG" <<JSON
{
  "current": "demo",
  "contexts": {
    "demo": {
      "services": {
        "catalog": "$(service_url catalog)",
        "rollouts": "$(service_url rollouts)",
        "gateway": "$(service_url gateway)",
        "compliance": "$(service_url compliance)"
      },
      "token": "$(secret token)"
    }
  }
}
JSON
    )
}
