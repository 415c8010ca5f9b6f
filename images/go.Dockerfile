# What a service in Go is packed in. The build context is the service's source; the named context `platform` is the
# folder of this file. BUILD_IMAGE and RUN_IMAGE have no default: they must be given, each with its digest.
# BUILD_IMAGE needs Go and a shell; RUN_IMAGE needs nothing but certificates: no shell, no package manager.
ARG BUILD_IMAGE
ARG RUN_IMAGE

FROM ${BUILD_IMAGE} AS build
ARG PACKAGE=.
ARG RUNTIME_VERSION
# The version that the settings name (builds.runtimes): a base of another one ends the build here.
RUN found="$(go env GOVERSION)" && case "${found}." in "go${RUNTIME_VERSION}."*) ;; *) \
        echo "BUILD_IMAGE has ${found}, but builds.runtimes.go is ${RUNTIME_VERSION}" >&2 && exit 1 ;; esac
ENV CGO_ENABLED=0 GOFLAGS=-mod=readonly
WORKDIR /source
# Dependencies first: this layer is made anew only when they change.
COPY go.mod go.sum* ./
RUN ["go", "mod", "download"]
# Here, because it is another one with each commit, and would take what is above along.
ARG SOURCE_DATE_EPOCH
COPY --from=platform healthcheck/healthcheck.go /platform/
COPY . .
# No paths and no build id, so that the same source gives the same bytes.
RUN go build -trimpath -buildvcs=false -ldflags="-s -w -buildid=" -o /out/service "${PACKAGE}" && \
    go build -trimpath -buildvcs=false -ldflags="-s -w -buildid=" -o /out/healthcheck /platform/healthcheck.go

FROM ${RUN_IMAGE}
COPY --from=build /out/ /app/

ARG PORT HEALTH_PATH TITLE VERSION REVISION SOURCE CREATED RUN_IMAGE
LABEL org.opencontainers.image.title="${TITLE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${RUN_IMAGE}"
ENV PORT=${PORT} HEALTH_URL=http://127.0.0.1:${PORT}${HEALTH_PATH}
WORKDIR /app
EXPOSE ${PORT}
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["/app/healthcheck"]
ENTRYPOINT ["/app/service"]
CMD []
