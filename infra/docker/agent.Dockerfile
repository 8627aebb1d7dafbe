# The endpoint agent and its patcher, native, without a runtime:  docker build -f infra/docker/agent.Dockerfile .
FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev zlib1g-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY global.json Directory.* ./
COPY infra/build infra/build
COPY libs libs
COPY services services
RUN dotnet publish services/Patcher -c Release -r linux-x64 -o /out/patcher --nologo \
 && dotnet publish services/Agent -c Release -r linux-x64 -o /out/agent --nologo

# Root: reading another user's memory needs CAP_SYS_PTRACE in the container, and the file capability would be lost on a copy.
FROM mcr.microsoft.com/dotnet/runtime-deps:10.0
COPY --from=build /out/patcher/hotpatch-patcher /out/agent/hotpatch-agent /usr/local/bin/
RUN mkdir -p /var/lib/hotpatch/agent /var/lib/hotpatch/trust
USER root
ENTRYPOINT ["/usr/local/bin/hotpatch-agent"]
