# What a service in Rust is packed in. The build context is the service's source; the named context `platform` is the
# folder of this file. BUILD_IMAGE and RUN_IMAGE have no default: they must be given, each with its digest.
# BUILD_IMAGE needs Rust, a linker and a shell; RUN_IMAGE needs the C library and libgcc: no shell, no package manager.
ARG BUILD_IMAGE
ARG RUN_IMAGE

FROM ${BUILD_IMAGE} AS build
ARG BINARY
ARG RUNTIME_VERSION
# The version that the settings name (builds.runtimes): a base of another one ends the build here.
RUN found="$(rustc --version)" && \
    case "${found}." in "rustc ${RUNTIME_VERSION}."* | "rustc ${RUNTIME_VERSION} "*) ;; *) \
        echo "BUILD_IMAGE has ${found}, but builds.runtimes.rust is ${RUNTIME_VERSION}" >&2 && exit 1 ;; esac
ENV CARGO_HOME=/cargo RUSTFLAGS="-C strip=symbols"
WORKDIR /source
# Dependencies first, with a program that does nothing: this layer is made anew only when they change.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src && echo "fn main() {}" > src/main.rs && cargo build --release --locked && rm -r src
# Here, because it is another one with each commit, and would take what is above along.
ARG SOURCE_DATE_EPOCH
COPY --from=platform healthcheck/healthcheck.rs /platform/
COPY . .
RUN touch src/main.rs && cargo build --release --locked && \
    install -D "target/release/${BINARY}" /out/service && \
    rustc -O -C strip=symbols -o /out/healthcheck /platform/healthcheck.rs

FROM ${RUN_IMAGE}
COPY --from=build /out/ /app/

ARG PORT HEALTH_PATH TITLE VERSION REVISION SOURCE CREATED RUN_IMAGE
LABEL org.opencontainers.image.title="${TITLE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${RUN_IMAGE}"
ENV PORT=${PORT} BIND_ADDRESS=0.0.0.0:${PORT} HEALTH_URL=http://127.0.0.1:${PORT}${HEALTH_PATH}
WORKDIR /app
EXPOSE ${PORT}
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["/app/healthcheck"]
ENTRYPOINT ["/app/service"]
CMD []
