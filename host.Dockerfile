# The instance's image: nitroproxy and the libc it loads, no shell, not root.  It has both roles of the instance:
#
#   docker build -f host.Dockerfile -t nitroproxy .
#   docker run .. nitroproxy             the HTTP proxy, on port 8080 of the container
#   docker run .. nitroproxy tunnel      the tunnel
#
# Docker's default seccomp profile forbids AF_VSOCK: on a Nitro instance add --security-opt seccomp=FILE with one that
# allows it, and --network host for the tunnel, whose vsock port is the instance's.
ARG BASE=docker.io/library/debian:12.12-slim
FROM ${BASE} AS build
ARG SOURCE_DATE_EPOCH=0
WORKDIR /src
COPY packaging/deps.sh packaging/mbedtls-config.h packaging/
COPY lib/tls/gcm_alt.h lib/tls/
RUN packaging/deps.sh --no-tests
COPY . .
RUN cmake --preset package && cmake --build --preset package
# Since 2.34 glibc resolves names from files and DNS without further modules.
RUN install -D -s build/package/nitroproxy /image/usr/bin/nitroproxy && \
    install -D -m 644 config/config.json /image/etc/nitroproxy/config.json && \
    install -D -m 644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt && \
    mkdir -p /image/usr/share/doc && cp -r build/package/sbom /image/usr/share/doc/nitroproxy && \
    for file in $(ldd build/package/nitroproxy | grep -o '/[^ ]*'); do install -D "$file" "/image$file"; done && \
    echo 'hosts: files dns' >/image/etc/nsswitch.conf && \
    echo 'nitroproxy:x:65532:65532::/:/' >/image/etc/passwd && echo 'nitroproxy:x:65532:' >/image/etc/group && \
    find /image -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

FROM scratch
COPY --from=build /image/ /
USER 65532:65532
ENV NITROPROXY_CONFIG=/etc/nitroproxy/config.json NITROPROXY_HOST_PROXY_LISTEN=tcp:0.0.0.0:8080
EXPOSE 8080
# For the tunnel switch it off (--no-healthcheck): the host's /health covers every hop, the tunnel too.
HEALTHCHECK --interval=10s --timeout=6s --start-period=10s CMD ["/usr/bin/nitroproxy", "host", "--health"]
ENTRYPOINT ["/usr/bin/nitroproxy"]
CMD ["host"]
