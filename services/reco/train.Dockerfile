# The image in which reco's factors are trained: the service's code with LightFM, PySpark, Parquet and a Java beside it.
# It serves nothing: a job runs `train` or `export` in it and ends. Context: the root of the repository.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
# LightFM is built from source, so this one has a C compiler.
ARG BUILD_IMAGE=python:3.11-bookworm

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 LIGHTFM_NO_CFLAGS=1 CFLAGS=-O3
COPY requirements/build.txt requirements/sources.txt requirements/reco-train.txt requirements/
# The secrets are optional: `pip` a pip.conf, `ca` the certificates of a package proxy. Neither enters a layer.
# Two packages have no wheel that runs here. What builds them is hashed, too, and without LightFM's own flags the result
# runs on any processor of its kind, not only on one like the builder's.
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca \
    python -m venv /build && python -m venv --without-pip /app \
    && /build/bin/pip install --require-hashes --only-binary :all: --requirement requirements/build.txt \
    && /build/bin/pip --python /app/bin/python install --require-hashes --only-binary :all: --requirement requirements/sources.txt \
    && /build/bin/pip --python /app/bin/python install --require-hashes --only-binary :all: --no-binary pyspark,rectools-lightfm \
        --no-build-isolation --requirement requirements/reco-train.txt \
    && /build/bin/pip --python /app/bin/python uninstall --yes --requirement requirements/sources.txt
COPY schemas/avro schemas/avro
COPY libs libs
COPY services/reco services/reco
# `pip check` refuses an image whose requirements do not cover what its packages declare.
RUN /build/bin/pip wheel --no-cache-dir --no-index --no-deps --no-build-isolation --wheel-dir /wheels \
        ./libs/eventfold ./libs/eventfold_ops ./libs/contracts ./libs/servicekit ./services/reco \
    && /build/bin/pip --python /app/bin/python install --no-cache-dir --no-index --no-deps /wheels/*.whl \
    && /build/bin/pip --python /app/bin/python check

FROM ${PYTHON_IMAGE}
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="lyceum-reco-train" \
      org.opencontainers.image.description="Trains the factors of Lyceum's recommendations: train or export" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Spark runs on this Java, whose package wants a folder that slim bases lack; LightFM's threads need this library.
# The public Python images bring a pip, which nothing here needs at run time.
# hadolint ignore=DL3008
RUN mkdir -p /usr/share/man/man1 \
    && apt-get update \
    && apt-get install --yes --no-install-recommends openjdk-17-jre-headless libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && if python -m pip --version >/dev/null 2>&1; then \
        python -m pip uninstall --yes --quiet --root-user-action=ignore --break-system-packages pip setuptools wheel; fi \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin lyceum
COPY --from=build /app /app
ENV LYCEUM_VERSION=${VERSION}
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /tmp
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "reco"]
CMD ["train", "--engine", "lightfm"]
