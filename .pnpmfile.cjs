// The packages that carry Node write `os` and `cpu` as strings; pnpm honours arrays only, and would
// otherwise download the Node of every platform.
module.exports = {
  hooks: {
    readPackage(pkg) {
      if (/^node-(linux|darwin|win)-/.test(pkg.name)) {
        const [, os, cpu] = pkg.name.split("-");
        pkg.os = [os === "win" ? "win32" : os];
        pkg.cpu = [cpu];
      }
      return pkg;
    },
  },
};
