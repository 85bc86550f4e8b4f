/** A node that was accepted on this page, and where. */
export interface Accepted {
  node: string
  district: string
  area: string
}

/** Gives an enrolled node its secrets, on the machine of the service. */
export function secretsCommand({ node, district, area }: Accepted): string {
  return `gridward-cloud node add ${node} --district ${district} --area ${area} --replace`
}
