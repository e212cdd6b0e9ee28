# A Debian with a Java, for the stand-in of Kafka's image.
FROM debian:bookworm-slim
# hadolint ignore=DL3008
RUN mkdir -p /usr/share/man/man1 && apt-get update \
    && apt-get install --yes --no-install-recommends openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
