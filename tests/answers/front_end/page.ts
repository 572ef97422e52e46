// What the recipe of the cookbook expects of the page around it. Records what it calls.

export const calls: string[] = [];

export function showInvoices(): void {
  calls.push("showInvoices");
}

export function reload(): void {
  calls.push("reload");
}
