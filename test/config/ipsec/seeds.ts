// What clouds hand out, as it stands in their guides, and what their guides describe, translated.

/** UCloud, "Download VPN Tunnel Configuration": the file byte for byte. */
export const UCLOUD_TEMPLATE = `conn ipsvpn_tunnel-MQcK-cVMR
    keyingtries=3
    authby=psk
    auto=start
    type=tunnel
    pfs=no

    keyexchange=ikev2

    # IPSecProtocol

    esp=aes128-sha1-modp1024!

    ike=aes128-sha1-modp1024!
    ikelifetime=86400s
    lifetime=86400s
    left=192.168.93.46
    leftid=192.168.93.46
    leftsubnet=172.16.1.0/24
    leftnexthop=%defaultroute
    right=106.75.234.78
    rightid=106.75.234.78
    rightsubnet=10.0.192.0/20
    rightnexthop=%defaultroute
    dpdaction=hold
    dpddelay=8s
    dpdtimeout=13s
`;

/** UCloud, "Configuring StrongSwan": what its guide has people type, less the indentation of the list that it stands in. */
export const UCLOUD_SAMPLE = `conn test //define the connection name as test
  authby=psk
  type=tunnel //Enable tunnel mode
\tkeyexchange=ikev2 // the ike key exchange method is version 2\t
  auto=start
  leftid=113.31.113.78 // local ID
  left=10.23.228.173 // local IP, nat scenario select real host address
  leftsubnet=10.23.0.0/16 //local subnet  
  rightid=106.75.234.78 //remote identification ID
  right=106.75.234.78 //remote VPN gateway IP
  rightsubnet=10.0.192.0/20 //remote subnet
  ike=aes128-sha1-modp1024 //define ike phase algorithm and group according to the configuration of the opposite end
  esp=aes128-sha1-modp1024 //define the ipsec phase algorithm and group according to the peer configuration
  ikelifetime=86400s // ike phase lifecycle
  lifetime=86400s // two-stage life cycle 
  dpdaction=restart
  dpddelay=8s
  dpdtimeout=13s
`;

export const UCLOUD_SECRETS = '113.31.113.78 106.75.234.78 : PSK test.1231\n';

/** Tencent, "Security Policy Database (SPD) Policy": its example, seen from the data centre. IKEv1 only. */
export const TENCENT = `conn %default
    keyexchange=ikev1
    authby=secret
    ike=aes128-sha1-modp1024!
    esp=aes128-sha1!
    left=192.0.2.10
    right=198.51.100.20
    auto=route

conn spd-1
    leftsubnet=192.168.0.0/24,192.168.1.0/24
    rightsubnet=10.0.0.0/24

conn spd-2
    leftsubnet=192.168.2.0/24
    rightsubnet=10.0.1.0/24

conn spd-3
    leftsubnet=192.168.2.0/24
    rightsubnet=10.0.2.0/24
`;

/** The same in the other language. */
export const TENCENT_SWANCTL = `connections {
  spd-1 {
    version = 1
    local_addrs = 192.0.2.10
    remote_addrs = 198.51.100.20
    proposals = aes128-sha1-modp1024
    unique = replace
    local {
      auth = psk
      id = 192.0.2.10
    }
    remote {
      auth = psk
      id = 198.51.100.20
    }
    rekey_time = 0
    reauth_time = 10260
    over_time = 540
    rand_time = 540
    children {
      spd-1 {
        local_ts = 192.168.0.0/24, 192.168.1.0/24
        remote_ts = 10.0.0.0/24
        esp_proposals = aes128-sha1
        rekey_time = 3060
        life_time = 3600
        rand_time = 540
        start_action = trap
      }
      spd-2 {
        local_ts = 192.168.2.0/24
        remote_ts = 10.0.1.0/24
        esp_proposals = aes128-sha1
        rekey_time = 3060
        life_time = 3600
        rand_time = 540
        start_action = trap
      }
      spd-3 {
        local_ts = 192.168.2.0/24
        remote_ts = 10.0.2.0/24
        esp_proposals = aes128-sha1
        rekey_time = 3060
        life_time = 3600
        rand_time = 540
        start_action = trap
      }
    }
  }
}
`;

/** Huawei, Table 4-1: AES-128, SHA2-256, group 15 for both phases, IKEv2, 86400 s and 3600 s; two EIPs. */
export const HUAWEI = `conn %default
    keyexchange=ikev2
    authby=psk
    ike=aes128-sha256-modp3072!
    esp=aes128-sha256-modp3072!
    ikelifetime=86400
    lifetime=3600
    reauth=no
    left=1.1.1.1
    leftsubnet=172.16.0.0/16
    rightsubnet=192.168.0.0/24,192.168.1.0/24
    dpdaction=restart
    auto=start

conn vpn-1
    right=1.1.1.2

conn vpn-2
    right=2.2.2.2
`;

/** Huawei, the AR router of its guide: the commands of steps 6 to 9, which have group 14 where the cloud has 15. */
export const HUAWEI_AR = HUAWEI.replaceAll('modp3072', 'modp2048');

/** JD Cloud: every combination of what it takes. */
export const JD = ['ikev1', 'ikev2'].flatMap((version) =>
  ['aes128', 'aes256'].flatMap((cipher) =>
    ['sha1', 'sha256'].flatMap((hash) =>
      ['modp1024', 'modp1536'].map((group) => ({ version, algorithms: `${cipher}-${hash}-${group}` })),
    ),
  ),
);
