# A program to patch: Debian's redis-server in a version with known weaknesses. For trying things out, never for use.
FROM debian:bookworm-slim
ARG REDIS_VERSION=5:7.0.15-1~deb12u7
RUN apt-get update \
 && apt-get install -y --no-install-recommends "redis-server=$REDIS_VERSION" "redis-tools=$REDIS_VERSION" \
 && rm -rf /var/lib/apt/lists/* \
 && mkdir -p /srv/target && chown redis: /srv/target
WORKDIR /srv/target
USER redis
ENTRYPOINT ["redis-server", "--save", "", "--appendonly", "no", "--protected-mode", "no", "--dir", "/srv/target"]
