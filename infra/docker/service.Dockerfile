# One image recipe for the four services:  docker build -f infra/docker/service.Dockerfile --build-arg PROJECT=Catalog .
FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
ARG PROJECT
WORKDIR /source
COPY global.json Directory.* ./
COPY infra/build infra/build
COPY libs libs
COPY services services
RUN dotnet publish "services/$PROJECT" -c Release -o /out --nologo \
 && mv "/out/Hotpatch.$PROJECT" /out/service

FROM mcr.microsoft.com/dotnet/aspnet:10.0
WORKDIR /app
COPY --from=build /out .
# Packages and, read only, the trusted public keys; owned by the user that the image runs as.
RUN mkdir -p /var/lib/hotpatch/packages /var/lib/hotpatch/trust && chown -R "$APP_UID" /var/lib/hotpatch
USER $APP_UID
ENTRYPOINT ["/app/service"]
