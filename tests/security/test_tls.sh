#!/bin/bash
# What the enclave accepts from a service over TLS, and what it does not: versions, suites, groups, certificates,
# downgrades, resumption, names, cut streams. Real servers (OpenSSL's, nginx), curl, and the three real roles.
#
#   NITROPROXY=build/release/nitroproxy tests/security/test_tls.sh
# shellcheck source=tests/security/lib.sh
. "$(dirname "$0")/lib.sh"

python=${NP_PYTHON:-/usr/bin/python3}
refused_certificate='502 tls_certificate_error'
refused_protocol='502 (tls_protocol_error|tls_alert_received)'

# ask URL [CURL_ARG..] : prints status and the token of Proxy-Status; the body is in $work/body
ask() {
	local url=$1 code
	shift
	code=$(curl -s -m 20 -D "$work/head" -o "$work/body" -w '%{http_code}' "$@" "$proxy/$url") || code=none
	printf '%s%s' "$code" "$(sed -n 's/^proxy-status:.*error=\([a-z_]*\).*/ \1/Ip' "$work/head" | tr -d '\r')"
}

# server NAME CERTIFICATE ARG.. : OpenSSL's server; sets port, server_pid. Without -www it prints what it is sent.
server() {
	local name=$1 certificate=$2 accept=${accept:-}
	shift 2
	start "$name" openssl s_server -accept "${accept:-127.0.0.1:0}" -cert "$work/$certificate.pem" \
		-cert_chain "$work/$certificate.pem" -key "$work/$certificate.key" "$@"
	server_pid=$pid
	port=${accept##*:}
	if [ -n "$port" ]; then
		await "$name.log" '\(ACCEPT\)' >/dev/null
	else
		port=$(await "$name.log" 'ACCEPT .*:\([0-9][0-9]*\)')
	fi
}

# accepts LABEL CERTIFICATE ARG.. / refuses LABEL WANT CERTIFICATE ARG.. : one server, one request
accepts() {
	local label=$1 certificate=$2
	shift 2
	server origin "$certificate" -www "$@"
	verdict "$label" "$(ask "https://${host:-localhost}:$port/")" 200
	stop "$server_pid"
}
refuses() {
	local label=$1 want=$2 certificate=$3 leaked=''
	shift 3
	server origin "$certificate" "$@"
	local got
	got=$(ask "https://${host:-localhost}:$port/secret-path" -d secret-body)
	stop "$server_pid"
	grep -aq secret "$work/origin.log" && leaked=', and the request reached the server'
	verdict "$label" "$got$leaked" "$want"
}

# chain LABEL CERTIFICATE NAME WANT : the same verifier, asked about a name that no machine here has
chain() {
	local status=0
	"$nitroproxy" verify-chain --ca "$work/root.pem" --host "$3" "$work/$2.pem" >"$work/chain.log" 2>&1 || status=$?
	verdict "$1" "$status" "$4"
}

"$python" -W ignore "$here/zoo.py" "$work"
roles strict --ca-file "$work/root.pem"

say 'the tests themselves'
server origin good
curl -s -m 2 -o /dev/null "$proxy/https://localhost:$port/secret-path" || true
stop "$server_pid"
verdict 'a request that does reach a server is noticed' "$(grep -ac secret-path "$work/origin.log")" 1

say 'protocol versions, TLS 1.3 at least'
accepts 'TLS 1.3' good -tls1_3
refuses 'TLS 1.2' "$refused_protocol" good -tls1_2
refuses 'TLS 1.1' "$refused_protocol" good -tls1_1 -cipher ALL:@SECLEVEL=0
refuses 'TLS 1.0' "$refused_protocol" good -tls1 -cipher ALL:@SECLEVEL=0

say 'suites, groups and signatures of TLS 1.3'
for suite in TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256; do
	accepts "$suite" good -tls1_3 -ciphersuites "$suite"
done
for suite in TLS_AES_128_CCM_SHA256 TLS_AES_128_CCM_8_SHA256; do
	refuses "$suite" "$refused_protocol" good -tls1_3 -ciphersuites "$suite"
done
for group in X25519 P-256 P-384; do accepts "group $group" good -tls1_3 -groups "$group"; done
for group in ffdhe2048 X448; do refuses "group $group" "$refused_protocol" good -tls1_3 -groups "$group"; done
accepts 'signature rsa_pss_rsae_sha256' good-rsa2048 -tls1_3 -sigalgs rsa_pss_rsae_sha256
refuses 'signature rsa_pkcs1_sha1' "$refused_protocol" good-rsa2048 -tls1_3 -sigalgs RSA+SHA1

say 'certificates that are fine'
for c in good good-rsa2048 good-p384 good-p521 good-two-middles good-name-constraint; do accepts "$c" "$c" -tls1_3; done
chain 'a wildcard, for one label' good-wildcard a.example.test 0

say 'certificates that are not; no byte of the request reaches the server'
for c in wrong-name common-name-only wildcard-too-wide wildcard-in-part embedded-zero name-constraint-broken \
	name-excluded expired not-yet-valid self-signed unknown-root no-intermediate signed-by-a-leaf signed-without-right \
	signed-for-clients path-too-long for-clients leaf-as-ca critical-unknown version-1 rsa1024 secp256k1 sha1; do
	want=$refused_certificate
	# Keys that TLS 1.3 cannot sign with end the handshake before there is a certificate to judge.
	[ $c = secp256k1 ] && want="$refused_certificate|$refused_protocol"
	refuses "$c" "$want" "$c" -tls1_3 -cipher ALL:@SECLEVEL=0
done
chain 'a wildcard, for two labels' good-wildcard b.a.example.test 1
chain 'a wildcard, for none' good-wildcard example.test 1
host=127.0.0.1 refuses 'an address as a dNSName' "$refused_certificate" address-as-name -tls1_3
host=127.0.0.1 refuses 'an address, and a certificate for a name' "$refused_certificate" good -tls1_3

say 'names asked for (SNI)'
server origin good -www -tls1_3 -servername localhost -cert2 "$work/good.pem" -key2 "$work/good.key" -tlsextdebug
ask "https://localhost:$port/" >/dev/null
verdict 'a name is asked for by name' "$(grep -ac 'server name' "$work/origin.log")" '[1-9]'
stop "$server_pid"
server origin good -www -tls1_3 -servername localhost -cert2 "$work/good.pem" -key2 "$work/good.key" -tlsextdebug
ask "https://127.0.0.1:$port/" >/dev/null
verdict 'an address is not' "$(grep -ac 'server name' "$work/origin.log" || true)" 0
stop "$server_pid"

say 'resumption never skips verification'
server origin good -www -tls1_3
address=127.0.0.1:$port
for i in 1 2 3; do verdict "request $i to a good server" "$(ask "https://localhost:$port/" -H 'Connection: close')" 200; done
verdict 'sessions are resumed' "$(grep -c '^Reused' "$work/body")" 1
verdict 'a session of one name is not used for another' "$(ask "https://127.0.0.1:$port/")" "$refused_certificate"
stop "$server_pid"
accept=$address server origin self-signed -tls1_3
verdict 'another server at the address, which cannot resume' "$(ask "https://localhost:$port/")" "$refused_certificate"
stop "$server_pid"

listening() { # PID : prints the port it listens on, once it does
	local port
	for _ in $(seq 500); do
		port=$(ss -ltnpH | sed -n "s/.*127.0.0.1:\([0-9]*\) .*pid=$1,.*/\1/p" | head -n 1)
		[ -z "$port" ] || { echo "$port" && return; }
		sleep 0.02
	done
	return 1
}

say 'what is no TLS at all'
start plain "$python" -u -m http.server --bind 127.0.0.1 0
port=$(await plain.log 'port \([0-9]*\)') || exit 1
verdict 'HTTP on the port' "$(ask "https://localhost:$port/")" "$refused_protocol"
start garbage socat "TCP-LISTEN:0,bind=127.0.0.1,fork" 'EXEC:head -c 4096 /dev/urandom'
port=$(listening "$pid") || exit 1
verdict 'random bytes' "$(ask "https://localhost:$port/")" '502 .*|504 .*'
start mute socat "TCP-LISTEN:0,bind=127.0.0.1,fork" 'EXEC:true'
port=$(listening "$pid") || exit 1
verdict 'a connection that ends at once' "$(ask "https://localhost:$port/")" '502 .*'
end_roles

say 'TLS 1.2, where it is allowed'
roles lax --ca-file "$work/root.pem" --tls-min-version TLSv1.2
accepts 'TLS 1.3' good -tls1_3
for suite in ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-ECDSA-CHACHA20-POLY1305; do
	accepts "TLS 1.2, $suite" good -tls1_2 -cipher "$suite"
done
accepts 'TLS 1.2, ECDHE-RSA-AES128-GCM-SHA256' good-rsa2048 -tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256
for suite in ECDHE-RSA-AES128-SHA256 ECDHE-RSA-AES128-SHA AES128-GCM-SHA256 AES128-SHA DHE-RSA-AES128-GCM-SHA256 \
	NULL-SHA256 AECDH-NULL-SHA; do
	refuses "TLS 1.2, $suite" "$refused_protocol" good-rsa2048 -tls1_2 -cipher "$suite:@SECLEVEL=0"
done
refuses 'TLS 1.2, group secp256k1' "$refused_protocol" good -tls1_2 -groups secp256k1
refuses 'TLS 1.1' "$refused_protocol" good -tls1_1 -cipher ALL:@SECLEVEL=0
refuses 'TLS 1.2, wrong name' "$refused_certificate" wrong-name -tls1_2
refuses 'TLS 1.2, unknown root' "$refused_certificate" unknown-root -tls1_2
server origin good
start middleman "$python" "$here/middleman.py" downgrade "$port"
port=$(await middleman.log 'port \([0-9]*\)')
got=$(ask "https://localhost:$port/secret-path")
verdict 'somebody on the way takes TLS 1.3 out of the ClientHello' "$got" "$refused_protocol"
verdict 'he did' "$(grep -c downgraded "$work/middleman.log")" '[1-9]'
verdict 'and learned nothing' "$(grep -ac secret-path "$work/origin.log" || true)" 0
end_roles

say 'cut streams'
roles cut --ca-file "$work/root.pem"
start cutter "$python" -u "$here/middleman.py" cut "$work/good.pem" "$work/good.key"
port=$(await cutter.log 'port \([0-9]*\)')
for how in length chunked close; do
	whole=$(curl -s -m 10 -o "$work/body" "$proxy/https://localhost:$port/$how/whole"; echo $?)
	verdict "$how: whole" "$whole $(wc -c <"$work/body")" '0 1000'
	# Cut on its way, or, if the cut came together with the head, a 502 (22): never a whole 200.
	cut=$(curl -s -f -m 10 -o "$work/body" "$proxy/https://localhost:$port/$how/cut"; echo $?)
	verdict "$how: cut by a FIN without close_notify" "$cut" '(18|56|22)'
done
end_roles
conclude
