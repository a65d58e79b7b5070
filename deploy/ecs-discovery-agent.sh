#!/bin/sh
# In the image's PATH, so that `docker exec <container> ecs-discovery-agent status` is all there is to type.
exec node --max-semi-space-size=1 --max-old-space-size=64 /app/dist/agent.mjs "$@"
