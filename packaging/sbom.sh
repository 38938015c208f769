#!/bin/bash
# sbom.sh - what is linked into a binary of ours: a CycloneDX 1.5 list and the licence texts that must go with it.
#
#   ./packaging/sbom.sh --kind static|package --deps DIR --version V BINARY OUTPUT-DIR
#
#   static    the enclave's binary, libc included;  package: the instance's, which loads libc
#   OUTPUT-DIR/sbom.cdx.json, OUTPUT-DIR/DEPENDENCIES, OUTPUT-DIR/licenses/NAME
#
# The same binary gives the same list: its serial number comes from the binary's hash, and its time, if any, from
# SOURCE_DATE_EPOCH.
set -euo pipefail
export LC_ALL=C

die() {
	echo "sbom: error: $*" >&2
	exit 1
}

kind='' deps='' version=''
while [ $# -gt 2 ]; do
	case $1 in
	--kind) kind=$2 ;;
	--deps) deps=$2 ;;
	--version) version=$2 ;;
	*) die "unknown option $1" ;;
	esac
	shift 2
done
if [ $# != 2 ] || [[ ! $kind =~ ^(static|package)$ ]] || [ -z "$deps" ] || [ -z "$version" ]; then
	die "usage: sbom.sh --kind static|package --deps DIR --version V BINARY OUTPUT-DIR"
fi
binary=$1 out=$2
mkdir -p "$out/licenses"

# ---- what there is ----------------------------------------------------------------------------------------------------

# Sets found_version and found_purl; copies the licence.
system_library() { # NAME PKG-CONFIG-MODULE DEBIAN-PACKAGE...
	local name=$1 module=$2 package
	shift 2
	found_version='' found_purl=''
	for package; do
		found_version=$(dpkg-query -W -f '${source:Version}' "$package" 2>/dev/null) || continue
		[ -n "$found_version" ] || continue
		found_purl=pkg:deb/debian/$(dpkg-query -W -f '${source:Package}' "$package")@${found_version//+/%2B}
		cp -L "/usr/share/doc/${package%%:*}/copyright" "$out/licenses/$name"
		return
	done
	# Not Debian: what pkg-config and the distribution's licence directory know.
	found_version=$(pkg-config --modversion "$module" 2>/dev/null) || die "version of $name: unknown on this system"
	found_purl=pkg:generic/$name@$found_version
	cat "/usr/share/licenses/$name"/* >"$out/licenses/$name" 2>/dev/null || die "no licence text of $name in /usr/share/licenses"
}

own_library() { # NAME VERSION : built by deps.sh
	found_version=$2
	found_purl=pkg:generic/$1@$2
	[ -d "$deps/share/licenses/$1" ] || die "no licence of $1 in $deps: run packaging/deps.sh again"
	cat "$deps/share/licenses/$1"/* >"$out/licenses/$1"
}

macro() { # FILE NAME : a number or string that a header defines
	sed -n "s/^#define $2 *\"\{0,1\}\([0-9.]*\)\"\{0,1\}.*/\1/p" "$1"
}

# ---- writing ------------------------------------------------------------------------------------------------------------

components='' dependencies='' table=''
component() { # NAME SPDX-EXPRESSION
	local between=${components:+,}
	components+="$between
    {\"type\": \"library\", \"bom-ref\": \"$found_purl\", \"name\": \"$1\", \"version\": \"$found_version\",
     \"purl\": \"$found_purl\", \"licenses\": [{\"expression\": \"$2\"}]}"
	dependencies+="$between \"$found_purl\""
	table+=$(printf '%-14s %-28s %s' "$1" "$found_version" "$2")$'\n'
}

weak_copyleft='LGPL-3.0-or-later OR GPL-2.0-or-later'
own_library mbedtls "$(macro "$deps/include/mbedtls/build_info.h" MBEDTLS_VERSION_STRING)"
component mbedtls 'Apache-2.0 OR GPL-2.0-or-later'
llhttp_h=$deps/include/llhttp.h
own_library llhttp "$(macro "$llhttp_h" LLHTTP_VERSION_MAJOR).$(macro "$llhttp_h" LLHTTP_VERSION_MINOR).$(macro "$llhttp_h" LLHTTP_VERSION_PATCH)"
component llhttp MIT
system_library libuv libuv libuv1-dev
component libuv MIT
system_library jansson jansson libjansson-dev
component jansson MIT
system_library libidn2 libidn2 libidn2-dev
component libidn2 "$weak_copyleft"
system_library libunistring libunistring libunistring-dev
component libunistring "$weak_copyleft"
system_library libgcc '' "libgcc-$(cc -dumpversion | cut -d . -f 1)-dev"
component libgcc 'GPL-3.0-or-later WITH GCC-exception-3.1'
if [ "$kind" = static ]; then
	system_library glibc '' libc6-dev
	component glibc LGPL-2.1-or-later
fi

hash=$(sha256sum <"$binary" | cut -d ' ' -f 1)
h=$(cut -c 1-32 <<<"$hash")
uuid=${h:0:8}-${h:8:4}-4${h:13:3}-8${h:17:3}-${h:20:12}
time=''
[ -z "${SOURCE_DATE_EPOCH-}" ] || time="\"timestamp\": \"$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)\","
cat >"$out/sbom.cdx.json" <<END
{
  "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "serialNumber": "urn:uuid:$uuid",
  "metadata": {$time
    "component": {"type": "application", "bom-ref": "nitroproxy", "name": "nitroproxy", "version": "$version",
      "hashes": [{"alg": "SHA-256", "content": "$hash"}], "licenses": [{"license": {"id": "MIT"}}]}
  },
  "components": [$components
  ],
  "dependencies": [{"ref": "nitroproxy", "dependsOn": [$dependencies]}]
}
END
cat >"$out/DEPENDENCIES" <<END
Linked into nitroproxy $version ($kind), which is itself under the MIT licence.
The licence texts are in licenses/; nitroproxy's source and build scripts allow relinking with other versions.

$table
END
