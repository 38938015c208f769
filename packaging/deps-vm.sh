#!/bin/bash
# deps-vm.sh - what tests/enclave boots; sourced by deps.sh for --enclave-tests, whose functions it uses.
#
#   $vm/qemu-nitro   QEMU with the nitro-enclave machine, which no distribution's package has: Debian's source, libcbor
#   $vm/bzImage      a small kernel with virtio-mmio, vsock and NSM built in: Debian's source, tests/enclave/kernel.config
#   $vm/linux.deb    the kernel that Debian's cloud images run, all but the basics of it modules
#   $vm/uml/         User-Mode Linux of Debian's, its vsock modules, and the C library it wants
#   $vm/vhost-device-vsock  the rust-vmm project's back-end for guests' vsock, to compare with ours
#
# Each has a NAME.from that says what it is and by which recipe it was made; another recipe makes it anew.
# shellcheck disable=SC2154,SC2086  # deps.sh's variables; lists of suites

vm=${NITROPROXY_VM:-${XDG_CACHE_HOME:-$HOME/.cache}/nitroproxy/vm}
vm_seed=${NITROPROXY_VM_CACHE-$tree/../shared/vm-cache} # made already, for a machine that begins empty, as CI's does

packages_vm_run=(libgnutls30 libcbor0.8 libfdt1 libglib2.0-0 zlib1g qemu-system-data seabios cpio)
packages_vm_build=(libcbor-dev libglib2.0-dev libfdt-dev libgnutls28-dev zlib1g-dev flex bison bc libelf-dev lz4
	make gcc pkg-config ninja-build python3-venv xz-utils)

qemu_version=10.0 kernel_version=6.12 # of the source packages: the newest of these that the suite has
qemu_suites="trixie forky" kernel_suites="bookworm-backports trixie" uml_suites="forky" backend_suites="forky"

vm_missing() { # NAME : whether it has to be made, by what is known of how
	[ ! -f "$vm/$1.from" ] || [ "$(sed -n 1p "$vm/$1.from")" != "$(vm_recipe "$1")" ]
}

vm_recipe() { # NAME
	case $1 in
	qemu-nitro) declare -f vm_build_qemu && echo "$qemu_version" ;;
	bzImage) declare -f vm_build_kernel && echo "$kernel_version" && cat "$tree/tests/enclave/kernel.config" ;;
	linux.deb) declare -f vm_fetch_kernel && echo "$kernel_version $kernel_suites" ;;
	uml) declare -f vm_fetch_uml && echo "$uml_suites" ;;
	vhost-device-vsock) declare -f vm_fetch_backend && echo "$backend_suites" ;;
	esac | sha256sum | cut -d ' ' -f 1
}

vm_note() { # NAME TEXT
	printf '%s\n%s\n' "$(vm_recipe "$1")" "$2" >"$vm/$1.from"
	say "in $vm: $1, $2"
}

# A seed is a directory with the files and their SHA256SUMS, made on another machine.
vm_from_seed() { # NAME
	[ -n "$vm_seed" ] && [ -f "$vm_seed/$1" ] || return 1
	if ! (cd "$vm_seed" && grep " $1\$" SHA256SUMS | sha256sum --status -c); then
		say "note: $vm_seed/$1 does not match its SHA256SUMS and is not used"
		return 1
	fi
	install -m 755 "$vm_seed/$1" "$vm/$1"
	vm_note "$1" "from the seed $vm_seed"
}

vm_private_suite() { # SUITE
	site=${site:-$(archive)}
	keys=${keys:-$(keyring)}
	[ -n "$site" ] || return 1
	open_suite "$1"
}

vm_source() { # PACKAGE VERSION-PREFIX DIRECTORY SUITE... : fetches and checks; prints the version
	local package=$1 prefix_wanted=$2 into=$3 suite version
	shift 3
	for suite; do
		vm_private_suite "$suite" || continue
		version=$(apt_private apt-cache showsrc "$package" 2>/dev/null | sed -n "s/^Version: //p" |
			grep -E "^([0-9]+:)?${prefix_wanted//./\\.}[.+]" | sort -V | tail -n 1) || true
		[ -n "$version" ] || continue
		private_dir "$into"
		if (cd "$into" && apt_private apt-get source --download-only "$package=$version") >>"$work/log" 2>&1; then
			echo "$version ($suite)"
			return
		fi
	done
	return 1
}

# ---- User-Mode Linux ----------------------------------------------------------------------------------------------

vm_deb() { # PACKAGE DIRECTORY : unpacks the suite's newest
	private_dir "$work/deb"
	(cd "$work/deb" && apt_private apt-get download "$1") >>"$work/log" 2>&1 || return 1
	dpkg-deb -x "$work"/deb/"$1"_*.deb "$2"
}

# linux.uml is linked against the libc of its suite.  Ours keeps a copy of that beside it; tests/enclave/vm.py starts
# it so that it is found.
vm_fetch_uml() {
	local suite name modules from
	for suite in $uml_suites; do
		vm_private_suite "$suite" || continue
		rm -rf "$work/uml" "$work/libc"
		if ! vm_deb user-mode-linux "$work/uml" || ! vm_deb libc6 "$work/libc"; then continue; fi
		rm -rf "$vm/uml"
		mkdir -p "$vm/uml"
		cp "$work/uml/usr/bin/linux.uml" "$vm/uml/linux"
		modules=$(echo "$work"/uml/usr/lib/uml/modules/*/kernel/net/vmw_vsock)
		for name in vsock vmw_vsock_virtio_transport_common vsock_loopback vmw_vsock_virtio_transport; do
			if [ -f "$modules/$name.ko.xz" ]; then xz -dc "$modules/$name.ko.xz" >"$vm/uml/$name.ko"; else cp "$modules/$name.ko" "$vm/uml/"; fi
		done
		cp -L "$(find "$work/libc" -name 'ld-linux-x86-64.so.2' | head -n 1)" "$vm/uml/ld.so"
		cp -L "$(find "$work/libc" -name libc.so.6 | head -n 1)" "$vm/uml/libc.so.6"
		from=$(apt_private apt-cache show user-mode-linux 2>/dev/null | sed -n 's/^Version: //p' | head -n 1)
		vm_note uml "user-mode-linux $from ($suite)"
		return
	done
	say "note: no user-mode-linux from: $uml_suites"
}

# ---- Debian's kernel ----------------------------------------------------------------------------------------------

vm_fetch_kernel() {
	local suite name
	for suite in $kernel_suites; do
		vm_private_suite "$suite" || continue
		name=$(apt_private apt-cache search --names-only "^linux-image-${kernel_version//./\\.}\..*-cloud-amd64$" 2>/dev/null |
			cut -d ' ' -f 1 | sort -V | tail -n 1) || true
		[ -n "$name" ] || continue
		private_dir "$work/deb"
		(cd "$work/deb" && apt_private apt-get download "$name") >>"$work/log" 2>&1 || continue
		cp "$work"/deb/"$name"_*.deb "$vm/linux.deb"
		vm_note linux.deb "$name ($suite)"
		return
	done
	say "note: no Linux $kernel_version for cloud images from: $kernel_suites"
}

# ---- another back-end ---------------------------------------------------------------------------------------------

vm_fetch_backend() { # asks nothing of the C library that Debian 12 has not
	local suite from
	for suite in $backend_suites; do
		vm_private_suite "$suite" || continue
		rm -rf "$work/backend"
		vm_deb vhost-device-vsock "$work/backend" || continue
		cp "$work/backend/usr/bin/vhost-device-vsock" "$vm/"
		from=$(apt_private apt-cache show vhost-device-vsock 2>/dev/null | sed -n 's/^Version: //p' | head -n 1)
		vm_note vhost-device-vsock "vhost-device-vsock $from ($suite)"
		return
	done
	say "note: no vhost-device-vsock from: $backend_suites"
}

# ---- QEMU ---------------------------------------------------------------------------------------------------------

vm_build_qemu() {
	local from source=$work/qemu
	from=$(vm_source qemu "$qemu_version" "$work/qemu-source" $qemu_suites) || die "no source of QEMU $qemu_version"
	say "building QEMU $from: some minutes"
	mkdir -p "$source/build"
	tar -xf "$work"/qemu-source/*.orig.tar.* -C "$source" --strip-components=1
	tar -xf "$work"/qemu-source/*.debian.tar.* -C "$source"
	patch -s -d "$source" -p1 <"$source/debian/patches/skip-unpack-edk2-blobs.patch" # which the tarball is without
	cat >"$source/configs/devices/x86_64-softmmu/nitro.mak" <<-END
		CONFIG_MICROVM=y
		CONFIG_NITRO_ENCLAVE=y
		CONFIG_VHOST_USER_VSOCK=y
		CONFIG_VIRTIO_RNG=y
		CONFIG_VIRTIO_SERIAL=y
		CONFIG_VIRTIO_BLK=y
	END
	# Debian 12's meson is too old for it and Debian's tarball is without QEMU's own copy: the suite's, unpacked beside.
	# The system's Python, for a private one may lack what configure looks for.
	vm_deb meson "$work/meson" || die "no meson from the suite of QEMU's source"
	patch -s -d "$source" -p1 <"$source/debian/patches/disable-pycotap.patch"
	(cd "$source/build" && export PYTHONPATH=$work/meson/usr/lib/python3/dist-packages &&
		PATH=/usr/sbin:/usr/bin:/sbin:/bin ../configure --python=/usr/bin/python3 \
		--target-list=x86_64-softmmu --without-default-features --without-default-devices \
		--with-devices-x86_64=nitro --enable-system --enable-tcg --enable-kvm --enable-gnutls --enable-libcbor \
		--enable-fdt=system --enable-vhost-user --disable-docs --disable-werror --disable-install-blobs \
		--disable-debug-info && PATH=/usr/sbin:/usr/bin:/sbin:/bin ninja qemu-system-x86_64) >"$work/log" 2>&1 || {
		tail -n 30 "$work/log" >&2
		die "QEMU did not build"
	}
	strip -o "$vm/qemu-nitro" "$source/build/qemu-system-x86_64"
	vm_note qemu-nitro "QEMU $from"
}

# ---- kernel -------------------------------------------------------------------------------------------------------

vm_build_kernel() {
	local from source=$work/linux
	from=$(vm_source linux "$kernel_version" "$work/linux-source" $kernel_suites) || die "no source of Linux $kernel_version"
	say "building Linux $from: some ten minutes"
	mkdir -p "$source"
	tar -xf "$work"/linux-source/*.orig.tar.* -C "$source" --strip-components=1
	(
		cd "$source"
		make tinyconfig
		scripts/kconfig/merge_config.sh -m .config "$tree/tests/enclave/kernel.config"
		make olddefconfig
		# The same source gives the same image: no time, no user, no machine in it.
		make -j "$(nproc)" KBUILD_BUILD_TIMESTAMP=1970-01-01 KBUILD_BUILD_USER=nitroproxy KBUILD_BUILD_HOST=build bzImage
	) >"$work/log" 2>&1 || {
		tail -n 30 "$work/log" >&2
		die "the kernel did not build"
	}
	cp "$source/arch/x86/boot/bzImage" "$vm/bzImage"
	vm_note bzImage "Linux $from"
}

install_enclave_tests() {
	local name build=()
	if [ "$(uname -m)" != x86_64 ] || ! command -v apt-get >/dev/null; then
		say "note: the enclave tests need Debian on x86-64; they will be skipped"
		return
	fi
	mkdir -p "$vm"
	work=${work:-$(mktemp -d "${TMPDIR:-/tmp}/deps.XXXXXX")}
	chmod 755 "$work"
	[ $want_system = no ] || install_packages "${packages_vm_run[@]}"
	! vm_missing uml || vm_fetch_uml
	! vm_missing linux.deb || vm_fetch_kernel
	! vm_missing vhost-device-vsock || vm_fetch_backend
	for name in qemu-nitro bzImage; do
		if vm_missing $name && ! vm_from_seed $name; then build+=("$name"); fi
	done
	[ ${#build[@]} -gt 0 ] || return 0
	if [ $want_vm = quick ]; then
		say "note: ${build[*]}: not here, and building takes minutes; ./packaging/deps.sh --enclave-tests does"
		return
	fi
	[ $want_system = no ] || install_packages "${packages_vm_build[@]}"
	for name in "${build[@]}"; do
		if [ "$name" = qemu-nitro ]; then vm_build_qemu; else vm_build_kernel; fi
	done
}
