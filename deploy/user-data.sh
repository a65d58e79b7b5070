#!/bin/sh
# User data of a container instance that runs the agent beside ECS's own, not as a daemon service. Fill in these three.
set -eu
cluster=prod
zone=Z0123456789ABCDEFGHIJ
image=123456789012.dkr.ecr.eu-west-1.amazonaws.com/ecs-discovery-agent:0.1.0

echo "ECS_CLUSTER=$cluster" >> /etc/ecs/ecs.config

# The instance's role pulls the image, and is the agent's role: deploy/iam-agent.json belongs to it.
registry=${image%%/*}
region=$(echo "$registry" | cut -d. -f4)
command -v aws > /dev/null || dnf install -y -q awscli-2
aws ecr get-login-password --region "$region" | docker login --username AWS --password-stdin "$registry"
docker pull "$image"
docker logout "$registry"

# ECS starts tasks only once this ends, so that the agent is there before them.
docker run -d --restart always --name ecs-discovery-agent --network host \
  --read-only --cap-drop ALL --security-opt no-new-privileges \
  --group-add "$(stat -c %g /var/run/docker.sock)" \
  -v /var/run/docker.sock:/var/run/docker.sock \
  -v ecs-discovery-agent:/var/lib/ecs-discovery-agent \
  "$image" --hostedZoneId="$zone"
