# What a service in Node.js is packed in. The build context is the service's source; the named context `platform` is the
# folder of this file. BUILD_IMAGE and RUN_IMAGE have no default: they must be given, each with its digest.
# BUILD_IMAGE needs Node.js, npm and a shell; RUN_IMAGE needs Node.js: no npm, no shell.
ARG BUILD_IMAGE
ARG RUN_IMAGE

FROM ${BUILD_IMAGE} AS dependencies
ARG RUNTIME_VERSION
# The version that the settings name (builds.runtimes): a base of another one ends the build here.
RUN found="$(node --version)" && case "${found}." in "v${RUNTIME_VERSION}."*) ;; *) \
        echo "BUILD_IMAGE has ${found}, but builds.runtimes.node is ${RUNTIME_VERSION}" >&2 && exit 1 ;; esac
ENV NPM_CONFIG_AUDIT=false NPM_CONFIG_FUND=false NPM_CONFIG_UPDATE_NOTIFIER=false
WORKDIR /app
# Dependencies first: this layer is made anew only when they change. Their install scripts do not run.
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts && mkdir -p node_modules && rm -f node_modules/.package-lock.json

FROM dependencies AS build
RUN ["npm", "ci", "--ignore-scripts"]
COPY . .
RUN npm run build --if-present && rm -rf node_modules

FROM ${RUN_IMAGE}
COPY --from=dependencies /app/node_modules /app/node_modules
COPY --from=platform healthcheck/healthcheck.mjs /platform/
COPY --from=build /app /app

ARG PORT HEALTH_PATH TITLE VERSION REVISION SOURCE CREATED RUN_IMAGE
LABEL org.opencontainers.image.title="${TITLE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${RUN_IMAGE}"
# Distroless images keep Node.js below /nodejs.
ENV PORT=${PORT} HEALTH_URL=http://127.0.0.1:${PORT}${HEALTH_PATH} NODE_ENV=production \
    PATH=/nodejs/bin:/usr/local/bin:/usr/bin:/bin
WORKDIR /app
EXPOSE ${PORT}
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["node", "/platform/healthcheck.mjs"]
ENTRYPOINT ["node"]
# The folder: Node.js starts what `main` in package.json names.
CMD ["/app"]
