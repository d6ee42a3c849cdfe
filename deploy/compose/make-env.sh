#!/bin/sh
# make-env.sh HOST: prints a `.env` for compose.yaml with passwords and keys of its own.
#
# Keep it as one keeps a key: whoever has it can sign models, and without it the database's sessions
# and the models' signatures are worth nothing. Written once; later changes are made by hand.
set -eu
host=${1:?"say under which name people reach Berth, for example: ./make-env.sh models.example.com > .env"}
secret() { openssl rand -hex "$1"; }
key() { openssl rand -base64 32; }

cat <<END
# The name that people type, without scheme, port or path.
BERTH_HOST=$host

# The same for all processes, for ever: see "Backups" in docs/deploying.md.
SECRET_KEY=$(secret 32)
BERTH_SIGNING_KEY=$(key)

# The owner of the tables, whom \`prepare\` alone works as, and the application's role.
POSTGRES_PASSWORD=$(secret 24)
BERTH_APP_PASSWORD=$(secret 24)
VALKEY_PASSWORD=$(secret 24)

# What uploads are opened in. Docker's own profiles leave landlock alone (Linux 6.12 or newer); under
# gVisor take \`auto\` and BERTH_WORKER_RUNTIME=runsc. See docs/sandbox.md.
BERTH_SANDBOX=landlock
BERTH_WORKER_RUNTIME=runc

# Which parts run beside the portal: kafka, server.
COMPOSE_PROFILES=kafka
KAFKA_BOOTSTRAP_SERVERS=kafka:9092
KAFKA_CLUSTER_ID=B$(openssl rand -base64 16 | tr '+/' '-_' | cut -c2-22)

# For the profile \`server\`: made by \`manage.py create_server_token\`.
BERTH_TOKEN=

# Mail server, smtp+tls://USER:PASSWORD@HOST:PORT; mails are written to web's log without one.
EMAIL_URL=
EMAIL_FROM=berth@$host
END
