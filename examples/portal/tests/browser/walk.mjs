// Walks the pages of the portal with a headless Chromium, as a person does: the steps of managing a group first, then the
// rest. Prints a line for each part. `walk.mjs <server> [folder for screenshots]`.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import puppeteer from "puppeteer-core";

const [server, pictures] = process.argv.slice(2);
const here = import.meta.dirname;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const token = "token-of-the-browser-test";

/** Starts the server with this document, and returns its address once it listens. */
async function start(document) {
  const child = spawn(server, ["--listen", "127.0.0.1:0", "--token", token, "--scim-token", "okta=token-of-okta", "--document", document]);
  const address = await new Promise((resolve, reject) => {
    let out = "";
    child.stdout.on("data", (text) => {
      out += text;
      const match = /^page: (\S+)$/m.exec(out);
      if (match) resolve(match[1]);
    });
    child.on("exit", (code) => reject(new Error(`the server ended with ${code}`)));
    child.on("error", reject);
  });
  child.stderr.resume();
  return { child, address };
}

/** An organisation with a group that very many users have, and a group with more subgroups than a page shows. */
function largeDocument() {
  const users = Array.from({ length: 20_000 }, (_, n) => ({ key: `user-${n}@large.example` }));
  const subgroups = Array.from({ length: 60 }, (_, n) => ({ slug: `team-${10 + n}`, name: `Team ${10 + n}`, parents: ["teams"] }));
  return {
    format: 1,
    tenant: { slug: "large", name: "Large" },
    permissions: [{ slug: "posts:read" }],
    roles: [{ slug: "reader", name: "Reader", permissions: ["posts:read"] }],
    groups: [
      { slug: "everybody", name: "Everybody", roles: ["reader"], members: users.map(({ key }) => key) },
      { slug: "teams", name: "Teams" },
      ...subgroups,
    ],
    users,
  };
}

const { child, address } = await start(path.join(here, "acme.json"));
const root = address.replace(/\/groups$/, "");
const browser = await puppeteer.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--force-prefers-reduced-motion"],
});
const page = await browser.newPage();
const problems = [];
page.on("pageerror", (error) => problems.push(`script: ${error.message}`));
page.on("console", (line) => line.type() === "error" && !/status of 4\d\d/.test(line.text()) && problems.push(`console: ${line.text()}`));

const text = () => page.$eval("main", (main) => main.innerText);
const has = async (part) => assert.ok((await text()).includes(part), `expected “${part}” in:\n${await text()}`);
const hasNot = async (part) => assert.ok(!(await text()).includes(part), `unexpected “${part}”`);

/** Clicks a link or button by its text or label, and waits for the next page. */
async function follow(name, inside = "body") {
  const selectors = ["link", "button"].map((role) => `${inside} ::-p-aria([name="${name}"][role="${role}"])`);
  const element = await page.waitForSelector(selectors.join(", "), { timeout: 10_000 });
  await Promise.all([page.waitForNavigation(), element.click()]);
}

/** Types into a field that is found by its label. */
async function fill(label, value) {
  const control = (label) => [...document.querySelectorAll("label")].find((found) => found.innerText.trim() === label)?.control;
  const field = (await page.waitForFunction(control, { timeout: 10_000 }, label)).asElement();
  if ((await field.evaluate((field) => field.type)) === "date") {
    await field.evaluate((field, value) => (field.value = value), value);
  } else {
    await field.click({ count: 3 });
    await field.type(value);
  }
}

/** Ticks a user or role that a search offers. The search runs while somebody types. */
async function choose(query, label) {
  const field = await page.$("form[data-choose] input[type=search]");
  await field.click({ count: 3 });
  await field.type(query);
  await page.waitForFunction(
    (label) => {
      const labels = [...document.querySelectorAll("#found label")];
      return labels.length === 1 && labels[0].innerText.includes(label) && !document.querySelector("#found[aria-busy]");
    },
    { timeout: 10_000 },
    label,
  );
  await page.click("#found label");
  await page.waitForFunction((label) => document.querySelector("#chosen").innerText.includes(label), {}, label);
}

async function accessible(what) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"] }));
  const found = violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map((node) => node.html).slice(0, 3).join(" | ")}`);
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  if (found.length > serious.length) console.log(`  axe, not serious, on ${what}: ${found.join("; ")}`);
  assert.deepEqual(serious.map(({ id }) => id), [], `${what}: ${found.join("\n")}`);
}

/** Does this while `decide` takes some of the requests. The others go on. */
async function intercepting(decide, work) {
  // Too late is a request that comes while this ends, and nobody has taken it.
  const take = (request) => decide(request) || request.continue().catch(() => {});
  await page.setRequestInterception(true);
  page.on("request", take);
  try {
    await work();
  } finally {
    await page.setRequestInterception(false);
    page.off("request", take);
  }
}

/** Holds these requests back while something is looked at. */
async function held(isHeld, begin, look) {
  const waiting = [];
  await intercepting(
    (request) => isHeld(request) && waiting.push(request),
    async () => {
      await begin();
      await look();
      assert.ok(waiting.length > 0, "a request was held back");
      isHeld = () => false;
      for (const request of waiting) await request.continue();
    },
  );
}

/** What the page says while it loads a part of itself. */
const busy = () => page.$$eval("[aria-busy=true]", (parts) => parts.map((part) => part.innerText.trim()));

const wide = { width: 1280, height: 900 };
const narrow = { width: 360, height: 760 };

/** Checks a page in all looks, and takes a picture of each. */
async function looks(name) {
  for (const scheme of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    for (const [size, viewport] of Object.entries({ wide, narrow })) {
      await page.setViewport(viewport);
      await accessible(`${name}, ${scheme}, ${size}`);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(overflow <= 0, `${name}, ${size}: ${overflow} pixels wider than the screen`);
      if (pictures) await page.screenshot({ path: path.join(pictures, `${name}-${scheme}-${size}.png`), fullPage: true });
    }
  }
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
  await page.setViewport(wide);
}

/** The element that has the focus, by its name. */
const focused = () => page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.innerText);

const parts = {
  async "sign in"() {
    await page.goto(address);
    assert.match(page.url(), /login\?next=/);
    await looks("login");
    await fill("Token", "wrong");
    await follow("Sign in");
    await has("not a token of this tenant");
    await fill("Token", token);
    await follow("Sign in");
    assert.equal(page.url(), address);
    assert.equal(await page.$eval("nav [aria-current=page]", (link) => link.innerText), "Groups");
  },

  async "create a group"() {
    await follow("Create Group");
    await fill("Name", "Staff");
    await fill("Slug", "staff");
    await fill("Description", "Engineering team members");
    await follow("Create Group", "form");
    assert.match(await focused(), /There is a problem/);
    assert.match(await page.title(), /^Error/);
    await looks("create-error");
    await fill("Name", "Engineering");
    await fill("Slug", "engineering");
    await looks("create");
    await follow("Create Group", "form");
    await has("The group was created");
    await has("Engineering team members");
  },

  async "add members with search and several choices"() {
    await follow("Add Members");
    await held(
      (request) => request.url().includes("q=bob"),
      () => page.type("form[data-choose] input[type=search]", "bob"),
      async () => {
        await page.waitForSelector("#found[aria-busy=true]", { timeout: 10_000 });
        await accessible("a search that is running");
      },
    );
    await page.waitForFunction(() => !document.querySelector("[aria-busy]"), { timeout: 10_000 });
    await choose("bob", "Bob Meyer");
    await choose("GRACE@", "Grace Lindqvist");
    await choose("ivan", "Ivan Petrov");
    await looks("add-members");
    await follow("Add members");
    await has("The change was saved");
    for (const name of ["Bob Meyer", "Grace Lindqvist", "Ivan Petrov"]) await has(name);
  },

  async "assign roles in the Roles tab"() {
    await page.evaluate(() => [...document.querySelectorAll(".tabs a")].find((tab) => tab.innerText.startsWith("Roles")).id = "roles-tab");
    await Promise.all([page.waitForNavigation(), page.click("#roles-tab")]);
    await choose("develop", "Developer");
    await choose("operat", "Operator");
    await follow("Preview");
    await has("Nothing is saved yet");
    await has("deploy:production");
    await looks("preview");
    await follow("Save this change");
    await has("The change was saved");
    await looks("group-roles");
  },

  async "all of it is there after a reload"() {
    await page.reload();
    for (const name of ["Developer", "Operator"]) await has(name);
    await page.goto(address);
    await follow("Engineering");
    for (const name of ["Bob Meyer", "Grace Lindqvist", "Ivan Petrov"]) await has(name);
  },

  async "remove a member"() {
    await page.click('::-p-aria([name="Choose Ivan Petrov"])');
    await follow("Remove chosen members");
    await has("code:push");
    await follow("Save this change");
    await hasNot("Ivan Petrov");
    await page.reload();
    await hasNot("Ivan Petrov");
    await has("Bob Meyer");
    await looks("members");
  },

  async "a temporary member"() {
    await follow("Add Members");
    await choose("ivan", "Ivan Petrov");
    await fill("Last day (optional)", "2998-12-31");
    await follow("Add members");
    await has("until 2999-01-01 00:00 UTC");
    await has("temporary");
    await follow("Change the membership of Ivan Petrov");
    await looks("member");
    await fill("Last day (optional)", "2999-12-31");
    await follow("Save");
    await has("until 3000-01-01 00:00 UTC");
  },

  async "subgroups as a tree, by keyboard"() {
    await page.goto(address);
    await page.focus('::-p-aria([name="Subgroups of Staff"])');
    await held(
      (request) => request.url().endsWith("/children"),
      () => page.keyboard.press("Space"),
      async () => {
        await page.waitForSelector("[aria-busy=true]", { timeout: 10_000 });
        assert.deepEqual(await busy(), ["Loading …"]);
        await looks("tree-loading");
      },
    );
    await page.waitForSelector('::-p-aria([name="Subgroups of Product"])');
    assert.deepEqual(await busy(), []);
    await page.focus('::-p-aria([name="Subgroups of Product"])');
    await page.keyboard.press("Enter");
    await page.waitForSelector('::-p-aria([name="Platform"])');
    assert.equal(page.url(), address, "no new page was loaded");
    await looks("tree");
    await page.keyboard.press("Enter");
    assert.equal(await page.$eval('::-p-aria([name="Subgroups of Product"])', (link) => link.getAttribute("aria-expanded")), "false");
  },

  async "a search over all levels"() {
    await fill("Search groups on all levels", "on call");
    await follow("Search");
    assert.match((await text()).replaceAll(/\s+/g, " "), /Staff \/ , then Product \/ , then Platform \/ , then On call/);
    await looks("search");
    await follow("On call");
    await page.goto(`${page.url()}/roles`);
    await has("from the group");
    await looks("inherited-roles");
  },

  async "direct and inherited members"() {
    await page.goto(address);
    await follow("Staff");
    await follow("Including subgroups");
    await has("inherited");
    await has("Frank Novak");
    await looks("all-members");
  },

  async "a group of a directory is locked"() {
    await page.goto(address);
    await follow("Berlin office");
    await has("managed by okta");
    await hasNot("Add Members");
    await looks("locked");
  },

  async "a group and a user are handed to a directory, and released"() {
    for (const [list, name, kind] of [["groups", "Finance", "group"], ["users", "Heidi Baumann", "user"]]) {
      await page.goto(`${root}/${list}${list === "groups" ? "?q=finance" : ""}`);
      await follow(name);
      await follow("Settings");
      await follow("Hand over to a directory…");
      await page.$eval("#directory", (field) => (field.value = "x".repeat(300)));
      await follow("Hand over…");
      assert.match(await focused(), /There is a problem/);
      await looks(`directory-${kind}-error`);
      await fill("Directory", "okta");
      await fill("Id in the directory (optional)", "00u1ab");
      await follow("Hand over…");
      await has("Nothing is saved yet");
      await looks(`directory-${kind}-preview`);
      await follow("Save this change");
      await has("The change was saved");
      await has("managed by okta");
      await looks(`directory-${kind}-locked`);
      await follow("Release from its directory…");
      await has("00u1ab");
      await looks(`directory-${kind}`);
      await follow("Release…");
      await follow("Save this change");
      await has("The change was saved");
      await hasNot("managed by okta");
    }
  },

  async "somebody else was faster"() {
    await page.goto(address);
    await follow("Engineering");
    await page.goto(`${page.url()}/settings`);
    const other = await browser.newPage();
    await other.goto(page.url());
    await other.type("#description", " and friends");
    await Promise.all([other.waitForNavigation(), other.click("form .primary")]);
    await other.close();
    await fill("Name", "Engineers");
    await follow("Save");
    await has("Somebody has changed this meanwhile");
    await looks("conflict");
    await follow("Preview it on the present state");
    await follow("Save this change");
    await has("Engineers");
    await looks("settings");
  },

  async "the tester"() {
    await page.goto(`${root}/tester`);
    await fill("User", "frank@acme.com");
    await fill("Permission", "code:push");
    await follow("Test");
    await has("Allowed");
    for (const part of ["Frank Novak", "On call", "Platform", "Product", "Developer", "code:*"]) await has(part);
    await looks("tester-allowed");
    await page.goto(`${root}/tester?user=bob%40acme.com&permission=invoices%3Aapprove`);
    await has("Denied");
    await looks("tester-denied");
  },

  async "users, roles, permissions, expiring"() {
    for (const name of ["users", "roles", "permissions", "expiring"]) {
      await page.goto(`${root}/${name}`);
      await looks(name);
    }
    await page.goto(`${root}/users`);
    await follow("Ivan Petrov");
    await looks("user");
    await page.goto(`${root}/roles`);
    await follow("Developer");
    await has("Who has this role");
    await looks("role");
    await page.goto(`${root}/permissions`);
    await follow("code:push");
    await looks("permission");
  },

  async "create, change and delete a user"() {
    await page.goto(`${root}/users`);
    await follow("Create User");
    await fill("Key", "bob@acme.com");
    await follow("Create User", "form");
    assert.match(await focused(), /There is a problem/);
    await looks("create-user-error");
    await fill("Key", "nora@acme.com");
    await fill("Name", "Nora Adeyemi");
    await follow("Create User", "form");
    await has("The user was created");
    await follow("Settings");
    await fill("Name", "Nora B. Adeyemi");
    await follow("Save");
    await has("The change was saved");
    await looks("user-settings");
    await follow("Suspend user");
    await follow("Save this change");
    await has("This user is suspended");
    await looks("user-suspended");
    await follow("Delete user");
    await follow("Save this change");
    await has("The user was deleted");
  },

  async "create a role, grant it permissions, and delete it"() {
    await page.goto(`${root}/roles`);
    await follow("Create Role");
    await fill("Name", "Release manager");
    await looks("create-role");
    await follow("Create Role", "form");
    await has("The role was created");
    await fill("Grant a permission", "deploy:produktion");
    await follow("Grant");
    assert.match(await focused(), /There is a problem/);
    await fill("Grant a permission", "deploy:*");
    await follow("Grant");
    await has("The change was saved");
    await fill("Include a role", "developer");
    await follow("Include");
    await has("Developer");
    await looks("role-settings");
    await follow("Delete role");
    await has("Deleted role");
    await follow("Save this change");
    await has("The role was deleted");
  },

  async "create a permission and delete it"() {
    await page.goto(`${root}/permissions`);
    await follow("Create Permission");
    await fill("Slug", "reports:read");
    await fill("Name", "Read reports");
    await fill("Category", "Reports");
    await looks("create-permission");
    await follow("Create Permission", "form");
    await has("The permission was created");
    await follow("Settings");
    await looks("permission-settings");
    await follow("Delete permission");
    await follow("Save this change");
    await has("The permission was deleted");
  },

  async "a member who begins later"() {
    await page.goto(address);
    await follow("Engineers");
    await follow("Change the membership of Ivan Petrov");
    await fill("First day (optional)", "2998-01-01");
    await follow("Preview");
    await has("from 2998-01-01");
    await follow("Save this change");
    await has("not yet active");
    await looks("later");
  },

  async "the history of a group, and of the tenant"() {
    await follow("History", ".tabs");
    for (const part of ["group.member.added", "group.role.assigned", "by admin"]) await has(part);
    await looks("group-history");
    await page.goto(`${root}/history`);
    await has("role.deleted");
    await fill("Only changes of", "nobody");
    await follow("Show");
    await has("Nothing has changed");
    await page.goto(`${root}/history`);
    await looks("history");
  },

  async "the lint"() {
    await page.goto(`${root}/lint`);
    await looks("lint");
    await page.select("#code", "equal_roles");
    await follow("Show");
    await looks("lint-empty");
  },

  async "the page to try the calls"() {
    await page.goto(new URL("/api-docs/", address).href);
    await page.waitForSelector(".opblock-summary-path", { timeout: 20_000 });
    assert.ok((await page.$$(".opblock")).length > 55);
    if (pictures) await page.screenshot({ path: path.join(pictures, "api-docs.png") });
    // With the session of the browser: the calls take it as well as a token.
    const call = await page.waitForSelector("::-p-text(/t/{tenant}/api/v1/history)", { timeout: 10_000 });
    await call.click();
    const tenant = await page.waitForSelector('input[placeholder="tenant"]', { timeout: 10_000 });
    await tenant.type(address.split("/")[4]);
    await (await page.waitForSelector("button.execute")).click();
    await page.waitForSelector(".live-responses-table .response", { timeout: 10_000 });
    assert.match(await page.$eval(".live-responses-table tr.response .response-col_status", (status) => status.innerText), /^200/);
    await page.goto(address);
  },

  async "errors are pages"() {
    await page.goto(`${root}/nothing`);
    await has("Not found");
    await looks("not-found");
  },

  async "without the script"() {
    await page.setJavaScriptEnabled(false);
    await page.goto(address);
    await follow("Subgroups of Staff");
    await has("Marketing");
    await follow("Marketing");
    await follow("Add Members");
    await page.type("#q", "dave");
    await follow("Search");
    await page.click("#found label");
    await page.click("#q", { count: 3 });
    await page.type("#q", "erin");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#chosen input");
    await page.click("#found label");
    await follow("Add members");
    await has("Dave Okafor");
    await has("Erin Sato");
    await page.setJavaScriptEnabled(true);
  },

  async "sign out"() {
    await follow("Sign out");
    await page.goto(address);
    assert.match(page.url(), /login/);
  },

  async "a level with very many subgroups"() {
    const folder = mkdtempSync(path.join(tmpdir(), "portal-"));
    const document = path.join(folder, "large.json");
    writeFileSync(document, JSON.stringify(largeDocument()));
    large = await start(document);
    rmSync(folder, { recursive: true });
    await page.goto(large.address);
    await fill("Token", token);
    await follow("Sign in");
    await page.click('::-p-aria([name="Subgroups of Teams"])');
    const more = await page.waitForSelector("a[data-more]", { timeout: 10_000 });
    await held(
      (request) => request.url().includes("/children?after="),
      () => more.click(),
      async () => {
        await page.waitForSelector("li.more[aria-busy=true]", { timeout: 10_000 });
        assert.deepEqual(await busy(), ["More subgroups"]);
      },
    );
    await page.waitForSelector('::-p-aria([name="Team 69"])', { timeout: 10_000 });
    assert.deepEqual(await busy(), []);
  },

  async "a deletion that goes on after its answer"() {
    await follow("Everybody");
    await follow("Settings");
    await follow("Delete group");
    await has("Removed 20000 memberships");
    await looks("large-deletion-preview");
    // The page loads itself again every second. It is kept from that while it is looked at.
    let loads = 0;
    await intercepting(
      (request) => request.url().includes("/operations/") && ++loads > 1 && request.abort("aborted"),
      async () => {
        await follow("Save this change");
        await has("Deleting the group `Everybody`");
        await has("this takes a moment");
        await looks("operation");
        for (let waited = 0; loads < 2 && waited < 100; waited += 1) await new Promise((done) => setTimeout(done, 100));
        assert.ok(loads > 1, "the page loads itself again");
      },
    );
    await follow("Look again");
    // The page may be between two loads of itself, and it removes the notice from its address when it is complete.
    const isDone = () => document.querySelector("main")?.innerText.includes("The group was deleted") && location.search === "";
    await page.waitForFunction(isDone, { timeout: 60_000 });
    assert.match(page.url(), /access-management\/groups$/);
    await hasNot("Everybody");
    await follow("Sign out");
  },
};

let large;
let failed = false;
try {
  if (pictures) mkdirSync(pictures, { recursive: true });
  await page.setViewport(wide);
  for (const [name, part] of Object.entries(parts)) {
    await part();
    assert.deepEqual(problems, [], name);
    console.log(`ok: ${name}`);
  }
} catch (error) {
  failed = true;
  console.error(error);
  console.error(page.url());
  if (pictures) await page.screenshot({ path: path.join(pictures, "failed.png"), fullPage: true });
} finally {
  await browser.close();
  child.kill();
  large?.child.kill();
}
process.exit(failed ? 1 : 0);
