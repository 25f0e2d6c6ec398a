FROM node:24-slim
WORKDIR /app
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml .pnpmfile.cjs ./
# Neither the embedded PostgreSQL nor another Node is needed here, so no optional packages.
RUN npx -y pnpm@12 install --frozen-lockfile --prod --no-optional
COPY bin bin
COPY src src
USER node
# The API, and the gateway that home's and the regions' servers connect to. Without the host's network set
# HOST=0.0.0.0 (with TENANTRY_AUTH=bearer) and TENANTRY_GATEWAY_LISTEN=0.0.0.0:4001, publish both ports, and say in
# TENANTRY_GATEWAY_ADDRESS how the servers reach the second one.
EXPOSE 4000 4001
CMD ["node", "bin/tenantry.js", "start"]
