# The Node that the agent runs on. To pin it beyond its tag: --build-arg BASE_IMAGE=node:…@sha256:…
ARG BASE_IMAGE=node:24.21.0-bookworm-slim

# The bundle is the same for every architecture: it is built on the builder's own, and below nothing runs.
FROM --platform=${BUILDPLATFORM:-linux} ${BASE_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY deploy/*.ts ./deploy/
COPY agent ./agent
COPY lib ./lib
RUN npm run bundle && mkdir state

FROM ${BASE_IMAGE}
ARG BASE_IMAGE
LABEL org.opencontainers.image.title="ecs-discovery-agent" \
      org.opencontainers.image.description="Labelled containers of an ECS container instance become Route 53 records" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"
ENV NODE_ENV=production
COPY LICENSE package.json deploy/health.mjs /app/
COPY --from=build /src/dist/agent.* /app/dist/
# A new named volume takes its owner from here.
COPY --from=build --chown=1000:1000 /src/state /var/lib/ecs-discovery-agent
VOLUME /var/lib/ecs-discovery-agent
# Nobody in particular; the group that owns Docker's socket comes with --group-add.
USER 1000:1000
HEALTHCHECK --interval=30s --timeout=5s --start-period=90s CMD ["node", "/app/health.mjs"]
# Node is PID 1, so that a stop signal reaches it.
ENTRYPOINT ["node", "--max-semi-space-size=1", "--max-old-space-size=64", "/app/dist/agent.mjs"]
