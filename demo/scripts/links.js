// placeholder
export function startLinks() {}
