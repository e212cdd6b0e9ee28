# Stands in for python:3.11-slim-bookworm, or with COMPILER=1 for python:3.11-bookworm, where no registry answers.
# Like the public image it has Python in /usr/local/bin and a pip.
FROM debian:bookworm-slim
ARG COMPILER=
# hadolint ignore=DL3008,DL3013
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv ${COMPILER:+gcc g++ python3-dev} \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
    && ln -s /usr/bin/python3 /usr/local/bin/python3 && ln -s python3 /usr/local/bin/python \
    && wheel=$(echo /usr/share/python-wheels/pip-*.whl) \
    && python "$wheel/pip" install --no-index --no-cache-dir --break-system-packages "$wheel"
CMD ["python3"]
