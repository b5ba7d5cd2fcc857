// Pre-shared keys that are tried first: those of vendors' manuals, that of ours, and what people type. Lower case.

/** The README's, which somebody will copy. */
const PRINTED = 'use a long random one: openssl rand -base64 33';

export const COMMON: ReadonlySet<string> = new Set(
  `1231 1234 12345 123456 1234567 12345678 123456789 1234567890 0123456789 111111 000000 123123 654321 666666 888888
  abc123 abcdef abcd1234 a1b2c3d4 qwerty qwertyuiop qwerty123 1q2w3e4r 1qaz2wsx asdfgh zxcvbn
  password password1 password123 passw0rd p@ssw0rd p@ssword pass1234 pass passwd changeme change_me changeit letmein
  secret secret123 topsecret mysecret sharedsecret shared_secret thisisasecret verysecret s3cr3t
  psk mypsk presharedkey pre-shared-key pre-shared-secret preshared presharedsecret sharedkey shared_key mykey key key123
  testkey test test1 test123 test1234 testing test@123 test@1234 testtest example example123 sample demo demo123
  admin admin123 admin@123 administrator root root123 root@123 toor user guest default
  vpn vpn123 vpn1234 vpnvpn vpn@123 ipsec ipsec123 ipsecvpn ipsec@123 ike l2tp tunnel tunnel123 gateway office branch
  cisco cisco123 cisco@123 c1sco12345 ciscocisco cisco1234 huawei huawei123 huawei@123 huawei12#$ h3c h3c123 juniper
  juniper123 fortinet fortigate fortinet123 mikrotik sonicwall paloalto checkpoint sophos strongswan openswan libreswan
  strongsecret racoon freeswan pfsense opnsense vyos ubnt draytek zyxel aruba hillstone sangfor
  aws amazon azure azure123 google tencent ucloud jdcloud welcome welcome1 welcome123 iloveyou monkey dragon master
  football baseball sunshine princess shadow superman batman trustno1 hello hello123 whatever internet network company
  spring summer autumn winter january february march april june july august september october november december
  company123 server server123 cloud cloud123 firewall router router123 security security123 secure`
    .split(/\s+/)
    .filter((word) => word !== '')
    .concat(PRINTED),
);
