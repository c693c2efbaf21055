// Requests to the HTTP interface: the same that every program uses, and nothing from elsewhere.

export class Problem extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

// The JSON of a response. `body`: what is posted; a GET without it. Throws Problem.
export async function ask(path, body) {
  const headers = {};
  const key = sessionStorage.getItem("key");
  if (key) headers.Authorization = `Bearer ${key}`;
  const options = { headers };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    Object.assign(options, { method: "POST", body: JSON.stringify(body) });
  }
  let request, response;
  try {
    request = new Request(path, options);
  } catch {
    sessionStorage.removeItem("key");
    throw new Problem(401, "This key has characters that no key has.");
  }
  try {
    response = await fetch(request);
  } catch {
    throw new Problem(0, "The server does not respond.");
  }
  const json = await response.json().catch(() => ({ error: `The server responded with ${response.status}.` }));
  if (!response.ok) throw new Problem(response.status, json.error ?? "The event is in conflict with another.");
  return json;
}
