#!/bin/bash
# Fails when a file includes a layer it must not know, or a third party's header through another door than its own.
#   base <- net <- {tls, http} <- proxy <- cmd;  nsm beside them, on base alone;
#   eif on nsm and init on net and nsm, which only cmd knows
set -u
cd "$(dirname "$0")/.." || exit 2
status=0

# breach WHERE WHAT WHY: no .c or .h file under the paths WHERE may include a header that matches WHAT
breach() {
	local where
	read -ra where <<<"$1"
	if grep -rnE --include='*.[ch]' "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($2)" "${where[@]}" 2>/dev/null; then
		echo "layers: $3" >&2
		status=1
	fi
}

breach lib/base '(net|tls|http|nsm|proxy)/' 'base knows no other layer'
breach lib/net '(tls|http|nsm|proxy)/' 'net knows base only'
breach lib/tls '(http|nsm|proxy)/' 'tls knows base and net only'
breach lib/http '(tls|nsm|proxy)/' 'http knows base and net only'
breach lib/nsm '(net|tls|http|proxy)/' 'nsm knows base only'
breach lib/eif '(net|tls|http|proxy|init)/' 'eif knows base and nsm only'
breach lib/init '(tls|http|proxy|eif)/' 'init knows base, net and nsm only'
breach 'lib/base lib/net lib/tls lib/http lib/nsm lib/proxy' '(eif|init)/' 'only cmd knows eif and init'
breach 'lib/base lib/net lib/tls lib/http lib/nsm lib/proxy lib/eif lib/init' 'demo/' 'only cmd knows demo'
breach lib 'cmd\.h' 'lib does not know the commands'

# doors HEADER FILE...: only the FILEs (shell patterns, relative to the tree) may include HEADER
doors() {
	local header=$1 file door
	shift
	while read -r file; do
		for door; do
			# shellcheck disable=SC2053  # the pattern is meant as one
			[[ $file == $door ]] && continue 2
		done
		echo "$file: includes <$header> beside its door" >&2
		status=1
	done < <(grep -rlE --include='*.[ch]' "#[[:space:]]*include[[:space:]]*[<\"]$header" lib cmd)
}

doors 'uv\.h' 'lib/base/loop*' lib/net/resolve.c 'cmd/*'
doors 'mbedtls/' 'lib/tls/*' 'lib/nsm/*'
doors 'psa/' 'lib/tls/*' 'lib/nsm/*'
doors 'llhttp\.h' 'lib/http/parse*'
doors 'idn2\.h' lib/net/hostname.c
doors 'jansson\.h' lib/base/config.c lib/proxy/tunnel_message.c 'lib/demo/*'

[ $status = 0 ] && echo 'layers: in order'
exit $status
