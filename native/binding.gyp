{
  'variables': { 'sanitize%': 0 },
  'targets': [
    {
      'target_name': 'espalier',
      'sources': [
        'addon.c',
        'addon_cipher.c',
        'aead.c',
        'cbcmac.c',
        'cipher.c',
        'gcm.c',
        'hmac.c',
        'mac.c',
        'netlink.c',
        'path.c',
        'poll.c',
        'raw.c',
        'separate.c',
        'tun.c',
        'udp.c',
        'vaes.c',
      ],
      'defines': ['NAPI_VERSION=8', '_GNU_SOURCE'],
      'cflags_c': ['-std=c11', '-Wall', '-Wextra', '-Werror', '-Wconversion', '-Wshadow', '-fvisibility=hidden'],
      'conditions': [
        [
          'sanitize==1',
          {
            'cflags_c': [
              '-O1',
              '-g',
              '-fsanitize=address,undefined',
              '-fno-sanitize-recover=undefined',
              '-fno-omit-frame-pointer',
            ],
            'ldflags': ['-fsanitize=address,undefined'],
          },
        ],
      ],
    },
  ],
}
