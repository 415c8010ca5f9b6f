# What a service in Python is packed in. The build context is the service's source; the named context `platform` is the
# folder of this file. BUILD_IMAGE and RUN_IMAGE have no default: they must be given, each with its digest.
# BUILD_IMAGE needs Python, pip and a shell; RUN_IMAGE needs the same minor version of Python: no pip, no shell.
ARG BUILD_IMAGE
ARG RUN_IMAGE

FROM ${BUILD_IMAGE} AS build
ARG RUNTIME_VERSION
# The version that the settings name (builds.runtimes): a base of another one ends the build here.
RUN found="$(python3 --version)" && case "${found}." in "Python ${RUNTIME_VERSION}."*) ;; *) \
        echo "BUILD_IMAGE has ${found}, but builds.runtimes.python is ${RUNTIME_VERSION}" >&2 && exit 1 ;; esac
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONHASHSEED=0
WORKDIR /source
# Dependencies first: this layer is made anew only when they change. Wheels, so no compiler is needed. Once one of them
# has a checksum, pip asks for those of all; where none has, the commands that build warn.
COPY requirements.txt ./
RUN mkdir /dependencies && \
    python3 -m pip install --quiet --only-binary=:all: --no-compile --target /dependencies \
        --requirement requirements.txt
# Here, because it is another one with each commit, and would take what is above along.
ARG SOURCE_DATE_EPOCH
COPY --from=platform launcher/__main__.py /out/
COPY . /out/
# Bytecode that holds no time, so that the same source gives the same bytes and nothing is compiled at the start.
RUN python3 -m compileall -q -s /out -p /app --invalidation-mode unchecked-hash /out && \
    python3 -m compileall -q -s /dependencies -p /app --invalidation-mode unchecked-hash /dependencies

FROM ${RUN_IMAGE}
# Beside the source, because the platform points PYTHONPATH at /app.
COPY --from=build /dependencies/ /app/
COPY --from=platform healthcheck/healthcheck.py /platform/
COPY --from=build /out/ /app/

ARG PORT HEALTH_PATH TITLE VERSION REVISION SOURCE CREATED RUN_IMAGE
LABEL org.opencontainers.image.title="${TITLE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${RUN_IMAGE}"
ARG APPLICATION=main:app
ENV PORT=${PORT} HEALTH_URL=http://127.0.0.1:${PORT}${HEALTH_PATH} APPLICATION=${APPLICATION} \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
EXPOSE ${PORT}
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python3", "/platform/healthcheck.py"]
ENTRYPOINT ["python3"]
# The folder: Python runs its __main__.py, the service's own or the one that starts APPLICATION with uvicorn.
CMD ["/app"]
