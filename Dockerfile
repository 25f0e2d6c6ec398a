FROM node:24-slim
WORKDIR /app
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml .pnpmfile.cjs ./
# Neither the embedded PostgreSQL nor another Node is needed here, so no optional packages.
RUN npx -y pnpm@12 install --frozen-lockfile --prod --no-optional
COPY bin bin
COPY src src
USER node
CMD ["node", "bin/tenantry.js", "start"]
