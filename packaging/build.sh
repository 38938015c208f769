#!/bin/bash
# build.sh - everything that is shipped, into build/.
#
#   ./packaging/build.sh [COMMAND] [OPTION]...
#
#   all         binary, packages, docker, enclave, artifacts: what can be built here; says what cannot and why (default)
#   binary      build/package/nitroproxy, for the instance: needs only libc
#               build/static/nitroproxy, for the enclave: needs nothing
#   docker      the images nitroproxy (host.Dockerfile) and nitroproxy-enclave (enclave.Dockerfile), with docker, podman or
#               buildah, whichever is there
#   enclave     build/nitroproxy.eif and its measurements, if AWS's kernel is there; the image nitroproxy-enclave
#   packages    build/nitroproxy_VERSION_ARCH.deb and, if rpmbuild is there, the .rpm
#   artifacts   build/nitroproxy-VERSION/: binary, settings, units, deploy.sh, the .eif if there is one, README-DEPLOYMENT,
#               SHA256SUMS; ready to be copied to an instance
#   clean       remove build/
#   help        this text
#
#   --base IMAGE   build images from this one instead of the one the Dockerfiles name; with @sha256:.. it is pinned
#   --no-deps      do not look whether dependencies are installed
#
# Times in what is built are those of SOURCE_DATE_EPOCH or, if it is not set, of the last commit.
set -euo pipefail
export LC_ALL=C

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$tree/build
base='' want_deps=yes

say() { echo "build: $*"; }
die() {
	echo "build: error: $*" >&2
	exit 1
}
usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"; }

version() { sed -n 's/^project(nitroproxy VERSION \([0-9.]*\).*/\1/p' "$tree/CMakeLists.txt"; }

# What is missing for this, as a sentence; nothing if it can be built.  `all` goes on without, a command of its own fails.
lacks() { # docker|rpm|eif
	case $1 in
	docker) [ -n "$(image_builder)" ] || echo "neither a running Docker nor podman nor buildah is here (apt-get install buildah)" ;;
	rpm) command -v rpmbuild >/dev/null || echo "rpmbuild is missing (apt-get install rpm)" ;;
	eif) [ -d /usr/share/nitro_enclaves/blobs ] ||
		echo "AWS's kernel is missing (dnf install aws-nitro-enclaves-cli-devel; packaging/eif/build.sh takes others too)" ;;
	esac
}

# ---- binaries and packages --------------------------------------------------------------------------------------------

deps() { [ $want_deps = no ] || "$tree/packaging/deps.sh" --no-tests; }

preset() { # PRESET TARGET...
	mkdir -p "$out"
	cmake -S "$tree" --preset "$1" >"$out/$1.log" 2>&1 || {
		cat "$out/$1.log" >&2
		die "cmake could not configure"
	}
	(cd "$tree" && cmake --build --preset "$1" --target "${@:2}")
}

binary() {
	deps
	preset package nitroproxy docs sbom
	preset static nitroproxy sbom
	say "$out/package/nitroproxy and $out/static/nitroproxy"
}

packages() {
	local why
	deps
	preset package all
	why=$(lacks rpm)
	(cd "$out/package" && cpack -G "DEB${why:-;RPM}" -B "$out" >"$out/cpack.log" 2>&1) || {
		cat "$out/cpack.log" >&2
		die "cpack failed"
	}
	rm -rf "$out/_CPack_Packages"
	[ -z "$why" ] || say "no .rpm: $why"
	say "$(cd "$out" && echo nitroproxy*.deb nitroproxy*.rpm)"
}

# ---- images -----------------------------------------------------------------------------------------------------------

image_builder() {
	if docker info >/dev/null 2>&1; then
		echo docker
	elif command -v podman >/dev/null; then
		echo podman
	elif command -v buildah >/dev/null; then
		echo buildah
	fi
}

image() { # NAME DOCKERFILE FORMAT
	local builder args=(-f "$tree/$2" -t "$1:latest" -t "$1:$(version)" --build-arg "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH")
	builder=$(image_builder)
	[ -n "$builder" ] || die "$(lacks docker)"
	[ -z "$base" ] || args+=(--build-arg "BASE=$base")
	# A base that is here already is taken; docker does so anyway.  HEALTHCHECK exists in Docker's image format only, which
	# on the other hand names the container it was built in: the enclave's image has to be the same every time.
	[ "$builder" = docker ] || args+=(--pull=missing --format "$3" --timestamp "$SOURCE_DATE_EPOCH")
	say "$1 with $builder"
	"$builder" build "${args[@]}" "$tree"
}

docker_images() {
	image nitroproxy host.Dockerfile docker
	image nitroproxy-enclave enclave.Dockerfile oci
}

eif() {
	preset static nitroproxy sbom
	"$tree/packaging/eif/build.sh" --output "$out/nitroproxy.eif" | tee "$out/nitroproxy.pcrs.json"
}

# Either of the two is of use: the .eif for an instance, the image for compose.yaml and nitro-cli build-enclave.
enclave() {
	local no_image no_eif
	no_image=$(lacks docker)
	no_eif=$(lacks eif)
	[ -z "$no_image" ] || [ -z "$no_eif" ] || die "neither image nor .eif: $no_image; $no_eif"
	deps
	if [ -z "$no_eif" ]; then eif; else say "no .eif: $no_eif"; fi
	if [ -z "$no_image" ]; then image nitroproxy-enclave enclave.Dockerfile oci; else say "no image: $no_image"; fi
}

# ---- what is copied to an instance --------------------------------------------------------------------------------------

artifacts() {
	local to eif=''
	to=$out/nitroproxy-$(version)
	if [ ! -x "$out/package/nitroproxy" ] || [ ! -x "$out/static/nitroproxy" ]; then binary; fi
	rm -rf "$to"
	mkdir -p "$to"
	install -s "$out/package/nitroproxy" "$to/nitroproxy"
	install -s "$out/static/nitroproxy" "$to/nitroproxy-enclave"
	install -m 644 "$tree/config/config.json" "$tree/config/enclave.json" "$tree/LICENSE" "$to/"
	install -m 755 "$tree/packaging/deploy.sh" "$to/"
	cp -r "$tree/packaging/systemd" "$tree/packaging/logrotate" "$tree/packaging/monitoring" "$to/"
	mkdir "$to/licences"
	cp -r "$out/package/sbom" "$to/licences/nitroproxy"
	cp -r "$out/static/sbom" "$to/licences/nitroproxy-enclave"
	for eif in "$out"/*.eif; do # one: nitroproxy.eif, whatever its builder called it
		[ -f "$eif" ] || continue
		install -m 644 "$eif" "$to/nitroproxy.eif"
		[ ! -f "${eif%.eif}.pcrs.json" ] || install -m 644 "${eif%.eif}.pcrs.json" "$to/nitroproxy.pcrs.json"
	done
	[ -f "$to/nitroproxy.eif" ] || say "without an .eif: build it (build.sh enclave) and run artifacts again, or put it beside"
	readme >"$to/README-DEPLOYMENT"
	find "$to" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
	(cd "$to" && find . -type f -printf '%P\n' | sort | xargs sha256sum) >"$out/SHA256SUMS"
	mv "$out/SHA256SUMS" "$to/"
	say "$to: scp -r it to the instance and run ./deploy.sh there"
}

readme() {
	cat <<-END
		nitroproxy $(version): to be copied to a Nitro instance, all of this directory

		    scp -r nitroproxy-$(version) ec2-user@INSTANCE:
		    ssh -t ec2-user@INSTANCE 'cd nitroproxy-$(version) && ./deploy.sh --dry-run && sudo ./deploy.sh'

		What must be there: an instance launched with enclaves enabled, aws-nitro-enclaves-cli, systemd, glibc 2.34 or
		later (Amazon Linux 2023, Debian 12).  deploy.sh checks that and says what is missing.

		nitroproxy            runs on the instance: host, tunnel, verify
		nitroproxy-enclave    the same program for inside the enclave, loads nothing; it is in nitroproxy.eif already
		nitroproxy.eif        the enclave's image; if it is missing, build it from enclave.Dockerfile and put it here
		nitroproxy.pcrs.json  its measurements, for nitroproxy verify and for conditions of KMS key policies
		config.json           settings of the instance: memory, CPUs and CID of the enclave stand in "enclave"
		enclave.json          the settings inside the image, for reading: a change here changes nothing
		deploy.sh             installs and starts; run it again after a change; it goes back if a step fails
		systemd/ logrotate/   what it installs
		monitoring/           Prometheus rules, Grafana dashboard, CloudWatch agent
		licences/             what is linked in, with licence texts (CycloneDX: sbom.cdx.json)

		The CPU count and memory reserved for enclaves are the instance's: if others run there, reserve for all of them
		in /etc/nitro_enclaves/allocator.yaml and keep deploy.sh's numbers in config.json as large as that.
	END
}

# ---- commands -----------------------------------------------------------------------------------------------------------

all() {
	local why
	binary
	packages
	why=$(lacks docker)
	if [ -z "$why" ]; then docker_images; else say "no images: $why"; fi
	why=$(lacks eif)
	if [ -z "$why" ]; then eif; else say "no .eif: $why"; fi
	artifacts
}

command=all
case ${1-} in '' | --*) ;; *) command=$1 && shift ;; esac
while [ $# -gt 0 ]; do
	case $1 in
	--base) [ $# -ge 2 ] || die "--base needs a value" && base=$2 && shift ;;
	--no-deps) want_deps=no ;;
	--help | -h) command=help ;;
	*) die "unknown option $1 (help lists them)" ;;
	esac
	shift
done
: "${SOURCE_DATE_EPOCH:=$(git -C "$tree" log -1 --format=%ct 2>/dev/null || echo 0)}"
export SOURCE_DATE_EPOCH

case $command in
all) all ;;
binary) binary ;;
docker) docker_images ;;
enclave) enclave ;;
packages) packages ;;
artifacts) artifacts ;;
clean) rm -rf "$out" && say "removed $out" ;;
help) usage ;;
*) die "unknown command $command (help lists them)" ;;
esac
