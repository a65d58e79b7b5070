ARG NODE_IMAGE=node:24-bookworm-slim
FROM ${NODE_IMAGE}
ENV NODE_ENV=production
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts
COPY agent ./agent
COPY lib ./lib
# Node is PID 1, so that SIGTERM reaches it.
ENTRYPOINT ["node", "--max-semi-space-size=1", "--max-old-space-size=64", "/app/agent/main.ts"]
