# The console is built where the packages for development are, and only the built files are taken along.
FROM node:24-slim AS console
WORKDIR /app
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml .pnpmfile.cjs ./
RUN npx -y pnpm@12 install --frozen-lockfile --ignore-scripts
COPY tsconfig.json ./
COPY console console
RUN node node_modules/vite/bin/vite.js build console

FROM node:24-slim
WORKDIR /app
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml .pnpmfile.cjs ./
# Neither the embedded PostgreSQL nor another Node is needed here, so no optional packages. What only installing needs goes
# in the same step, so that it is in no layer.
RUN npx -y pnpm@12 install --frozen-lockfile --prod --no-optional --store-dir /tmp/store \
  && rm -rf /tmp/store /root/.npm /root/.cache /root/.local
COPY bin bin
COPY src src
COPY --from=console /app/console/dist console/dist
USER node
# A container is reached from outside of it. Without TENANTRY_AUTH=bearer the API refuses to listen there:
# TENANTRY_EVERYBODY_IS_OPERATOR says what allowing it means.
ENV HOST=0.0.0.0
# The API, and the gateway that home's and the regions' servers connect to. For the second one set
# TENANTRY_GATEWAY_LISTEN=0.0.0.0:4001, and say in TENANTRY_GATEWAY_ADDRESS how the servers reach it.
EXPOSE 4000 4001
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["node", "bin/health.js"]
CMD ["node", "bin/tenantry.js", "start"]
