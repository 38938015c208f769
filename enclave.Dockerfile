# The enclave's image: the static binary, the roots it trusts, its configuration.  Nothing else is in it.
#
#   docker build -f enclave.Dockerfile -t nitroproxy-enclave .
#   nitro-cli build-enclave --docker-uri nitroproxy-enclave:latest --output-file nitroproxy.eif
#
# or ./packaging/build.sh enclave, which needs no Docker daemon if there is buildah.  All three files are measured with
# the image (PCR 2): to change config/enclave.json is to make another enclave.
#
# The same sources built with the same packages of BASE give the same image: files carry SOURCE_DATE_EPOCH, and nothing
# of the build is left in it.  Years later both have to be pinned: --build-arg BASE=debian@sha256:.., with apt sources
# of that day in it.
ARG BASE=docker.io/library/debian:12.12-slim
FROM ${BASE} AS build
ARG SOURCE_DATE_EPOCH=0
WORKDIR /src
# First what changes rarely: mbedTLS and llhttp are built once.
COPY packaging/deps.sh packaging/mbedtls-config.h packaging/
COPY lib/tls/gcm_alt.h lib/tls/
RUN packaging/deps.sh --no-tests
COPY . .
RUN cmake --preset static && cmake --build --preset static
RUN install -D -s build/static/nitroproxy /image/usr/bin/nitroproxy && \
    install -D -m 644 config/enclave.json /image/etc/nitroproxy/enclave.json && \
    install -D -m 644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt && \
    find /image -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} + && \
    /image/usr/bin/nitroproxy enclave --config /image/etc/nitroproxy/enclave.json --check-config

FROM scratch
COPY --from=build /image/ /
ENTRYPOINT ["/usr/bin/nitroproxy", "enclave", "--config", "/etc/nitroproxy/enclave.json"]
