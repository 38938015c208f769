#!/bin/bash
# How a shell script sends its requests through nitroproxy, with curl.
#
#   NITROPROXY_URL=http://127.0.0.1:8080 ./secure_http_client.sh https://api.example.com/v1/status [CA_FILE]
#
# CONNECT keeps curl's own TLS from end to end.  With the other two the enclave does TLS and checks the service's
# certificate, its policy sees paths and methods, and the host reads along.  CA_FILE is for CONNECT, when the service's
# CA is not one that curl knows.
set -euo pipefail

proxy=${NITROPROXY_URL:-http://127.0.0.1:8080}
curl=(curl --silent --show-error --max-time 30)

through_connect() { # URL [CA_FILE] [CURL_ARG...]
	local url=$1 ca=${2-}
	shift $(($# > 1 ? 2 : 1))
	"${curl[@]}" --proxy "$proxy" ${ca:+--cacert "$ca"} "$@" "$url"
}

by_path() { # URL [CURL_ARG...]
	local url=$1
	shift
	"${curl[@]}" --noproxy '*' --path-as-is "$@" "$proxy/$url"
}

by_field() { # URL [CURL_ARG...]
	local url=$1
	shift
	"${curl[@]}" --noproxy '*' --header "X-Target-URL: $url" "$@" "$proxy"
}

# Only when this file is run, not when another script takes its functions with `source`.
if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
	[ $# -ge 1 ] || {
		sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0" >&2
		exit 2
	}
	show=(--output /dev/null --write-out '%{http_code} %{size_download} bytes\n' --fail-with-body)
	printf 'CONNECT       ' && through_connect "$1" "${2-}" "${show[@]}"
	printf 'path          ' && by_path "$1" "${show[@]}"
	printf 'X-Target-URL  ' && by_field "$1" "${show[@]}"
fi
