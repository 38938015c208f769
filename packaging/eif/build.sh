#!/bin/bash
# build.sh - the enclave image (EIF) of nitroproxy, without Docker and without nitro-cli.
#
#   ./packaging/eif/build.sh --output FILE [OPTION]... [-- OPTION OF nitroproxy image build]...
#
#   --binary FILE      the static nitroproxy that goes into it       (default: build/static/nitroproxy)
#   --config FILE      its configuration                             (default: config/enclave.json)
#   --ca-file FILE     the roots that services are verified against  (default: this machine's bundle)
#   --app DIR          what else shall be in the file system: your application.  enclave.app in the configuration
#                      names its program
#   --kernel FILE      the kernel, with --cmdline and, if nsm is a module of it, --module
#   --kernel-deb FILE  kernel and modules from a package of Debian's (linux-image-6.12..-cloud-amd64), for emulators
#   --blobs DIR        where AWS's kernel is                         (default: /usr/share/nitro_enclaves/blobs)
#   --module FILE      a kernel module, .ko or .ko.xz, to be loaded at start; may be repeated, order counts
#   --cmdline TEXT     the kernel's command line
#   --tool FILE        the nitroproxy that builds, where --binary does not run here (other architecture)
#   --help             this text
#
# Without --kernel and --kernel-deb the kernel is AWS's, with its command line and module, as nitro-cli's package
# aws-nitro-enclaves-cli-devel has them: DIR/bzImage, cmdline and nsm.ko.  The same input gives the same file, bit for bit; its PCRs are printed as
# nitro-cli build-enclave prints them.
set -euo pipefail
export LC_ALL=C

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
blobs=/usr/share/nitro_enclaves/blobs
binary=$tree/build/static/nitroproxy config=$tree/config/enclave.json ca_file=/etc/ssl/certs/ca-certificates.crt
app='' kernel='' kernel_deb='' cmdline='' tool='' output='' modules=()

# By Debian's kernels virtio and vsock are modules, in the order in which they need each other.
deb_modules=(drivers/virtio/virtio_mmio net/vmw_vsock/vsock net/vmw_vsock/vmw_vsock_virtio_transport_common
	net/vmw_vsock/vmw_vsock_virtio_transport drivers/misc/nsm)

die() {
	echo "build.sh: error: $*" >&2
	exit 1
}
usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"; }

value() { [ $# -ge 2 ] || die "$1 needs a value"; }
while [ $# -gt 0 ]; do
	case $1 in
	--binary) value "$@" && binary=$2 && shift ;;
	--config) value "$@" && config=$2 && shift ;;
	--ca-file) value "$@" && ca_file=$2 && shift ;;
	--app) value "$@" && app=$2 && shift ;;
	--kernel) value "$@" && kernel=$2 && shift ;;
	--kernel-deb) value "$@" && kernel_deb=$2 && shift ;;
	--blobs) value "$@" && blobs=$2 && shift ;;
	--module) value "$@" && modules+=("$2") && shift ;;
	--cmdline) value "$@" && cmdline=$2 && shift ;;
	--tool) value "$@" && tool=$2 && shift ;;
	--output) value "$@" && output=$2 && shift ;;
	--help | -h) usage && exit ;;
	--) shift && break ;;
	*) die "unknown option $1 (--help lists them)" ;;
	esac
	shift
done
[ -n "$output" ] || die "--output is needed"
[ -x "$binary" ] || die "$binary: no such program; cmake --preset static && cmake --build --preset static makes it"
tool=${tool:-$binary}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/boot" "$work/root/etc/nitroproxy" "$work/root/etc/ssl/certs"

# ---- kernel -------------------------------------------------------------------------------------------------------

if [ -n "$kernel_deb" ]; then
	dpkg-deb -x "$kernel_deb" "$work/deb"
	kernel=$(echo "$work"/deb/boot/vmlinuz-*)
	for name in "${deb_modules[@]}"; do
		found=$(find "$work/deb" -path "*/kernel/$name.ko*" | head -n 1)
		[ -n "$found" ] || die "$kernel_deb has no module $name (nsm came with Linux 6.8)"
		modules+=("$found")
	done
elif [ -z "$kernel" ]; then
	[ -f "$blobs/bzImage" ] || die "no --kernel, and no $blobs of AWS's here"
	kernel=$blobs/bzImage
	cmdline=${cmdline:-$(cat "$blobs/cmdline")}
	[ ! -f "$blobs/nsm.ko" ] || modules+=("$blobs/nsm.ko")
fi
# A triple fault ends an enclave everywhere; the keyboard controller that AWS's "reboot=k" asks is not emulated.
cmdline=${cmdline:-reboot=t panic=-1 console=ttyS0 quiet}

for i in "${!modules[@]}"; do
	mkdir -p "$work/boot/lib/modules/enclave"
	name=$(basename "${modules[$i]}" .xz)
	to=$work/boot/lib/modules/enclave/$(printf '%02d' "$i")-$name
	case ${modules[$i]} in
	*.xz) xz -dc "${modules[$i]}" >"$to" ;;
	*) cp "${modules[$i]}" "$to" ;;
	esac
done

# ---- file system --------------------------------------------------------------------------------------------------

[ -z "$app" ] || cp -a "$app/." "$work/root/"
if ! strip -o "$work/root/init" "$binary" 2>/dev/null; then cp "$binary" "$work/root/init"; fi
chmod 755 "$work/root/init"
cp "$config" "$work/root/etc/nitroproxy/config.json"
cp "$ca_file" "$work/root/etc/ssl/certs/ca-certificates.crt"

"$tool" image build --kernel "$kernel" --cmdline "$cmdline" --boot "$work/boot" --root "$work/root" \
	--output "$output" "$@"
