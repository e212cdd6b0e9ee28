# Stands in for Envoy's image where no registry answers: the proxy of the wheel that the local stack uses.
FROM scratch
COPY envoy /usr/local/bin/envoy
ENTRYPOINT ["/usr/local/bin/envoy"]
