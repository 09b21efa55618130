// The memory of the authorization server: everything it remembers, in Maps that live as long as the process. The adapter
// that oidc-provider brings keeps its newest 1000 entries only, and a long race of refreshes would make it forget grants.

const entries = new Map(); // "Model:id" -> {payload, ends}

export class Store {
  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `${this.model}:${id}`;
  }

  async upsert(id, payload, expiresIn) {
    entries.set(this.key(id), { payload, ends: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
  }

  async find(id) {
    const entry = entries.get(this.key(id));
    return entry && entry.ends > Date.now() ? entry.payload : undefined;
  }

  async findBy(field, value) {
    for (const [key, entry] of entries) {
      if (key.startsWith(`${this.model}:`) && entry.payload[field] === value && entry.ends > Date.now()) return entry.payload;
    }
    return undefined;
  }

  async findByUid(uid) {
    return this.findBy('uid', uid);
  }

  async findByUserCode(userCode) {
    return this.findBy('userCode', userCode);
  }

  async consume(id) {
    (await this.find(id)).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    entries.delete(this.key(id));
  }

  async revokeByGrantId(grantId) {
    for (const [key, entry] of entries) {
      if (key.startsWith(`${this.model}:`) && entry.payload.grantId === grantId) entries.delete(key);
    }
  }
}

// forget drops every entry of the models; it returns how many there were.
export function forget(...models) {
  const keys = [...entries.keys()].filter((key) => models.includes(key.split(':', 1)[0]));
  keys.forEach((key) => entries.delete(key));
  return keys.length;
}

// waitingUserCodes are the codes of device authorizations that nobody has decided yet.
export function waitingUserCodes() {
  return [...entries]
    .filter(([key, { payload, ends }]) => key.startsWith('DeviceCode:') && !payload.accountId && !payload.error && ends > Date.now())
    .map(([, { payload }]) => payload.userCode);
}
