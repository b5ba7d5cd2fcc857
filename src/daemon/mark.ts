/** On every packet of our own sockets; the rule that leads to the tunnels lets it pass by. */
export const MARK = 0x45535000;
