# The image of the @SERVICE@ service. Context: the root of the repository.
# An entrypoint in exec form takes no variables, so this one pattern (deploy/images/service.Dockerfile) is written out
# per service by `make generate`; a test holds the copies to it.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/build.txt requirements/@SERVICE@.txt requirements/
# The secrets are optional: `pip` a pip.conf, `ca` the certificates of a package proxy. Neither enters a layer.
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca \
    python -m venv /build && python -m venv --without-pip /app \
    && /build/bin/pip install --require-hashes --only-binary :all: --requirement requirements/build.txt \
    && /build/bin/pip --python /app/bin/python install --require-hashes --only-binary :all: --requirement requirements/@SERVICE@.txt
COPY schemas/avro schemas/avro
COPY libs libs
COPY services/@SERVICE@ services/@SERVICE@
# `pip check` refuses an image whose requirements do not cover what its packages declare.
RUN /build/bin/pip wheel --no-cache-dir --no-index --no-deps --no-build-isolation --wheel-dir /wheels \
        ./libs/eventfold ./libs/eventfold_ops ./libs/contracts ./libs/servicekit ./services/@SERVICE@ \
    && /build/bin/pip --python /app/bin/python install --no-cache-dir --no-index --no-deps /wheels/*.whl \
    && /build/bin/pip --python /app/bin/python check

FROM ${PYTHON_IMAGE}
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="lyceum-@SERVICE@" \
      org.opencontainers.image.description="The @SERVICE@ service of Lyceum: prepare, serve, work, relay or a further role" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# /keys is there so that a fresh volume mounted on it belongs to the user; KEY_DIR has no default, because keys kept
# in a container's own layer are lost with it, and all sealed data with them.
# The public Python images bring a pip, which nothing here needs at run time.
RUN if python -m pip --version >/dev/null 2>&1; then \
        python -m pip uninstall --yes --quiet --root-user-action=ignore --break-system-packages pip setuptools wheel; fi \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin lyceum \
    && install --directory --owner=lyceum --group=lyceum --mode=0700 /keys
COPY --from=build /app /app
ENV LYCEUM_VERSION=${VERSION}
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    GRPC_HOST=0.0.0.0 GRPC_PORT=50051 METRICS_PORT=9464 HEALTH_PORT=50052
WORKDIR /tmp
USER 10001:10001
EXPOSE 50051 50052 9464
STOPSIGNAL SIGTERM
# Every role answers on HEALTH_PORT, in plain text, for Kubernetes' own gRPC probes: "" is ready, "live" is alive.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-m", "servicekit.probe"]
ENTRYPOINT ["python", "-m", "@SERVICE@"]
CMD ["serve"]
