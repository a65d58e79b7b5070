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
# One arena of malloc is enough for one thread, and what the others would hold is most of an idle agent's waste.
ENV NODE_ENV=production MALLOC_ARENA_MAX=1
COPY LICENSE package.json deploy/health.mjs /app/
COPY deploy/ecs-discovery-agent.sh /usr/local/bin/ecs-discovery-agent
COPY --from=build /src/dist/agent.* /app/dist/
COPY --from=build /src/dist/agent /app/dist/agent
# A new named volume takes its owner from here.
COPY --from=build --chown=1000:1000 /src/state /var/lib/ecs-discovery-agent
VOLUME /var/lib/ecs-discovery-agent
# Nobody in particular; the group that owns Docker's socket comes with --group-add.
USER 1000:1000
HEALTHCHECK --interval=30s --timeout=5s --start-period=90s CMD ["node", "/app/health.mjs"]
# Node is PID 1, so that a stop signal reaches it.
# The two middle compilers cost more memory than a mostly idle agent's events pay back; the last one is still there.
ENTRYPOINT ["node", "--max-semi-space-size=1", "--max-old-space-size=64", "--no-sparkplug", "--no-maglev", "/app/dist/agent.mjs"]
