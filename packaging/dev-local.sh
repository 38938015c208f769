# shellcheck shell=bash disable=SC2154  # state, sockets and services are dev.sh's
# dev-local.sh - `dev.sh local`: the whole path on one machine, shown with real requests.  Sourced by dev.sh.
#
#   curl -> host =unix= enclave =unix= tunnel -> nginx, TLS 1.3 only, with a certificate of a CA made for this run
#
# The enclave is given that CA alone, so the first origin is trusted and a second one, which signed its certificate
# itself, has to be refused.

make_certificates() { # into $state
	local key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
	{
		openssl req -x509 "${key[@]}" -days 1 -subj '/CN=nitroproxy local CA' -keyout "$state/ca.key" -out "$state/ca.pem" \
			-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
		openssl req -x509 "${key[@]}" -days 1 -subj '/CN=localhost' -keyout "$state/stranger.key" \
			-out "$state/stranger.pem" -addext subjectAltName=DNS:localhost
		openssl req "${key[@]}" -subj '/CN=localhost' -keyout "$state/origin.key" -out "$state/origin.csr"
		printf '%s\n' basicConstraints=critical,CA:FALSE extendedKeyUsage=serverAuth \
			subjectAltName=DNS:localhost,IP:127.0.0.1 >"$state/origin.ext"
		openssl x509 -req -in "$state/origin.csr" -CA "$state/ca.pem" -CAkey "$state/ca.key" -CAcreateserial -days 1 \
			-extfile "$state/origin.ext" -out "$state/origin.pem"
	} >"$state/openssl.log" 2>&1 || {
		cat "$state/openssl.log" >&2
		die "openssl could not make certificates"
	}
}

start_origin() { # PORT_TRUSTED PORT_STRANGER
	local nginx
	nginx=$(PATH=$PATH:/usr/sbin command -v nginx) || die "nginx is missing: run packaging/deps.sh"
	mkdir -p "$state/www"
	head -c 1048576 /dev/urandom >"$state/www/random"
	cat >"$state/nginx.conf" <<-END
		daemon off;
		master_process off; # one process, with our own rights
		pid $state/nginx.pid;
		error_log stderr warn;
		events {}
		http {
			log_format tls '\$ssl_protocol \$ssl_cipher "\$request" \$status';
			access_log $state/origin.access tls;
			client_body_temp_path $state/nginx-body;
			proxy_temp_path $state/nginx-proxy;
			fastcgi_temp_path $state/nginx-fastcgi;
			uwsgi_temp_path $state/nginx-uwsgi;
			scgi_temp_path $state/nginx-scgi;
			ssl_protocols TLSv1.3;
			server {
				listen 127.0.0.1:$1 ssl;
				ssl_certificate $state/origin.pem;
				ssl_certificate_key $state/origin.key;
				root $state/www;
				location = /hello { return 200 "hello over \$ssl_protocol\n"; }
				location = /post { return 200 "\$request_method of \$content_length bytes\n"; }
			}
			server {
				listen 127.0.0.1:$2 ssl;
				ssl_certificate $state/stranger.pem;
				ssl_certificate_key $state/stranger.key;
				location / { return 200 "nobody should read this\n"; }
			}
		}
	END
	spawn origin "$nginx" -p "$state" -c "$state/nginx.conf"
	until taken "$1"; do
		pid_of origin >/dev/null || {
			cat "$state/origin.log" >&2
			die "the origin $(ended origin)"
		}
		sleep 0.05
	done
}

# Sends one request and prints a line about it.  WANT is the status that is right; a body must have the digest of FILE
# unless that is -.
failures=0
request() { # LABEL WANT FILE CURL_ARG...
	local label=$1 want=$2 file=$3 code verdict=ok
	shift 3
	code=$(curl -s -S -m 30 -D "$state/head" -o "$state/body" -w '%{http_code}' "$@" 2>"$state/curl.log") || true
	[ "$code" = "$want" ] || verdict="FAILED, $want was due: $(tr -d '\n' <"$state/curl.log")"
	if [ "$file" != - ] && ! cmp -s "$file" "$state/body"; then verdict="FAILED, the body is another"; fi
	[ "$verdict" = ok ] || failures=$((failures + 1))
	printf '  %-42s %s  %s\n' "$label" "$code" "$verdict"
	sed -n 's/\r$//; s/^\(via\|proxy-status\): /      \1: /Ip' "$state/head"
}

run_local() { # [--once]
	local once=no port origin stranger url
	case ${1-} in
	'') ;;
	--once) once=yes ;;
	*) die "unknown option $1" ;;
	esac
	deps
	build_release

	use_state "$(mktemp -d "${TMPDIR:-/tmp}/nitroproxy-local.XXXXXX")"
	trap 'stop_services; end origin; rm -rf "$state" "$sockets"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	make_certificates
	origin=$(free_port 8443) stranger=$(free_port 9443) port=$(free_port 8080)
	url=https://localhost:$origin
	start_origin "$origin" "$stranger"
	start_services "$port" "unix:$sockets/tunnel.sock" \
		--allow "localhost:$origin" --allow "localhost:$stranger" --allow-cidr 127.0.0.0/8 --allow-cidr ::1/128 -- \
		--ca-file "$state/ca.pem"

	local proxy=http://127.0.0.1:$port
	printf 'hello over TLSv1.3\n' >"$state/hello"
	printf 'POST of 16 bytes\n' >"$state/posted"
	echo
	echo "host 127.0.0.1:$port -> enclave -> tunnel -> nginx 127.0.0.1:$origin (TLS 1.3, verified against a CA of this run)"
	echo
	request "GET, path style" 200 "$state/hello" "$proxy/$url/hello"
	request "GET, X-Target-URL" 200 "$state/hello" -H "X-Target-URL: $url/hello" "$proxy/"
	request "POST of JSON" 200 "$state/posted" -H 'Content-Type: application/json' -d '{"answer": 42  }' "$proxy/$url/post"
	request "GET of 1 MiB, compared byte by byte" 200 "$state/www/random" "$proxy/$url/random"
	request "CONNECT, TLS by curl itself" 200 "$state/hello" -x "$proxy" --cacert "$state/ca.pem" "$url/hello"
	request "certificate of a stranger" 502 - "$proxy/https://localhost:$stranger/"
	request "target the tunnel does not allow" 403 - "$proxy/https://localhost:1/"
	request "health of all hops" 200 - "$proxy/health"
	echo
	echo "the same and more by nitroproxy demo --local, with roles and an origin of its own:"
	"$binary" demo --local || failures=$((failures + 1))
	echo
	echo "what the origin saw:"
	sed 's/^/  /' "$state/origin.access"
	for name in "${services[@]}"; do
		echo "log of the $name:"
		sed 's/^/  /' "$state/$name.log" | cut -c 1-240 | tail -n 12
	done
	echo
	[ $failures = 0 ] || die "$failures of the requests above went wrong"
	say "all requests went as they should"
	[ $once = no ] || return 0
	say "up until Ctrl-C: curl $proxy/$url/hello"
	while pid_of tunnel && pid_of enclave && pid_of host; do sleep 1; done >/dev/null
	print_status
}
