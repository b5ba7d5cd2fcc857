// NIST CAVP, SP 800-135 IKEv1 key derivation: with a pre-shared key the set that libreswan's programs/cavp/test.acvp.ikev1_psk.*
// has, and what NSS's gtests (ike-sha1-vectors.h to ike-sha512-vectors.h) took from the same files: SKEYID with a
// pre-shared key, and the whole chain with signatures. Stretching and KEYMAT are NSS's own answers.

import { PRF } from '../../../src/crypto/ids.ts';

/** SKEYID = prf(pre-shared-key, Ni | Nr). */
export const skeyidPsk = [
  {
    prf: PRF.HMAC_SHA1,
    psk: '75',
    ni: 'b9a2d0e922dc66dd',
    nr: '2130166863b5ddef',
    skeyid: '62b04d112877e442fc3282fc37c076997718a0b9',
  },
  {
    prf: PRF.HMAC_SHA1,
    psk: 'c0',
    ni: '03a6f25a83c8c2a3',
    nr: '9d958a6618f77e7f',
    skeyid: 'ab3be41bc62f2ef0c41a3076d58768be77fadd2e',
  },
  {
    prf: PRF.HMAC_SHA2_256,
    psk: 'a0',
    ni: 'ead9ced494868f41',
    nr: 'f1aff4f425a94f18',
    skeyid: '558a99b299773d267cf7c8ef073bf3b7af362c206c75a538403c5ef884d4cace',
  },
  {
    prf: PRF.HMAC_SHA2_384,
    psk: '9e',
    ni: 'd6596b7e5b398534',
    nr: '136fbdfa8d0ceb8e',
    skeyid: 'b54fa27cb4251051e44a659d73591845691d11f1874bf4e4088e5df6462d28e57a3a2af3ab4f9b746a8f5766f8785f2b',
  },
  {
    prf: PRF.HMAC_SHA2_512,
    psk: '4c',
    ni: '482a05eca86fba51',
    nr: '84ee19d02272de2e',
    skeyid: `5bcb5499ae4c1437ce6c195392bf26bf7980a59bcb787a0b58671771a3d4b06dc1eb7809241b7e5931740b05bf8a9873
      bb493c5f067e28e4f58ab65c3dbe44cd`,
  },
] as const;

/** With a pre-shared key SKEYID is as above; with signatures, where `psk` is missing, prf(Ni | Nr, g^xy). */
export const skeyidChain = [
  {
    source: 'ikev1_psk, SHA-1',
    prf: PRF.HMAC_SHA1,
    psk: '75',
    ni: 'b9a2d0e922dc66dd',
    nr: '2130166863b5ddef',
    gxy: '739003ba2c11c982946c65e26acf661fbf8ebb78011a9fead79efa12fe3e71cc',
    spiI: '83d374c30b3b5082',
    spiR: '5afc0da06c728029',
    skeyid: '62b04d112877e442fc3282fc37c076997718a0b9',
    skeyidD: '369e5aad1bdb5faf6a3d929d500cdc236710a9ab',
    skeyidA: '588e957d8d790d093b3a39f121473473af78e9bb',
    skeyidE: 'cd74b0c048219db81384d3fda8f6cda51e398a2b',
  },
  {
    source: 'ikev1_dsa, SHA-1',
    prf: PRF.HMAC_SHA1,
    ni: '69a62284195f1680',
    nr: '80c94ba25c8abda5',
    gxy: '8ba4cbc73c0187301dc19a975823854dbd641c597f637f8d053a83b9514673eb',
    spiI: '8c3bcd3a69831d7f',
    spiR: 'd2d9a7ff4fbe95a7',
    skeyid: '707197817fb2d90cf54d1842606bdea59b9f4823',
    skeyidD: '384be709a8a5e63c3ed160cfe3921c4b37d5b32d',
    skeyidA: '48b327575abe3adba0f279849e289022a13e2b47',
    skeyidE: 'a4a415c8e0c38c0da847c356cc61c24df8025560',
  },
  {
    source: 'ikev1_dsa, SHA2-256',
    prf: PRF.HMAC_SHA2_256,
    ni: `b1dee62505b47b223bae14ce7a5b757402ad1587511618d09f94950d47f1d8d4ce86aca12d78db9854d86019ad735757
      ae79d8932ac0c7db842c85060150ca875ea5d47e3cfcb2a05922ebb7959d49b9797a2289676ee79a1d9a18b790f87e47
      71ddaf4be3376057a553162f68fe429aca73b07234543801ba2122b1bde82251770d05df813cf556a11ca4dc43ffcb85
      a97dbed16e2fda6985e07e31be6364899e63c507c7c616e5eb7765a53560f76772de43918ba07badfe85244dcdcd917c
      b065afb60e3b7e68b54dd94bfc7c31c8b752892781ed3cc4b7f28fbc0ab9af908f5ae1f09f893f80100a7b3135993161
      b51fbba3bbb24b9f88c6147de82cd6f0`,
    nr: `f0acfef2ad1f7add0eaafda78c1cf1097d9fc91cb04a7c145069ac426fd164cbe661b1dd2df0fb84e19512181f0d8ea5
      0b7860845f332757a8e56d2a3b7be436b5718a2d49baa996a4616684a208c2d611cd65e605dca6e3d3f116859b4410fe
      13679696bb2e23c08a40c7e1316d54b4c9c0286701c221151b3642cb4112ca1a53e0e597a7e29c634caed86ca3c31973
      d37b4c346134fd6784cd99913feedf3d29d89a0a02a5a750f02f5738109dcc670bb27701fb59f78e83b76860c3fec079
      a1fc8c937ddb58ae7500422b7e49ce63759c65b6bc439381d56bcc159edede894b073841036ebfa050a5b3e7c876a3f1
      8def26b1768a263ac66c9d83b680eb5e`,
    gxy: 'a1ff3dc6cf9b4c04709943cb4ca1f1789bcf360b03f1d027de3ae8ee039e9155',
    spiI: '6c6beb72631ddc3d',
    spiR: 'b84e24b22cffbd14',
    skeyid: '750c5c94b9c2ec20b68033e024dadf0fa87e8b48c6561b21c72478451a06583d',
    skeyidD: 'a4f7ca7de913814813e3312099e7c943bd293483f387532330237f1b20957310',
    skeyidA: '1d4b705746c43b0a6fcbb8db33983c0f24ff6f8b6543e3779fed227c6067f004',
    skeyidE: '03e6f16cd9ce9f64b5cdc5b34cca7163483ba5389a30afebef3d14640b0a815e',
  },
  {
    source: 'ikev1_dsa, SHA2-384',
    prf: PRF.HMAC_SHA2_384,
    ni: 'cec89d845add83ef',
    nr: 'cebd43ab71d17db9',
    gxy: '1724dbd893523764bfef8c6fa927856fccfb77ae254358cce29c2769a32915c1',
    spiI: '1c8aba986a00af0f',
    spiR: 'b049d9672f73c920',
    skeyid: '6e4514610bf82d0ab7bf0260096f6146a153c712071abb633ced813c572156c783e36874a65a64690ca701d40d56ea18',
    skeyidD: 'b083234e9ed7745911f93eb31faa66fcf88906266830eb17ef166d295cb1f86a3543b8b8efa5df918533df537e9c809c',
    skeyidA: '938295a374aceb4147a8024c9a007dd313403fd8fd7070dbd0cfbe1ccd308dbfbb7b9e9c64049e4df44ff551016cb7b5',
    skeyidE: '8595b249dc1fa8599729f87eb6b9dd13bfbfdfd4f9ebd78929bab6ecc402539ad32cb6e7ef4ba6a0f53da14e4df07ed4',
  },
  {
    source: 'ikev1_dsa, SHA2-512',
    prf: PRF.HMAC_SHA2_512,
    ni: 'acadc6314a69cfcd',
    nr: '4e4ad17718fea7ce',
    gxy: 'b15a9cfce8c8d7eab879d6243029d40188d3b740875a6ac62f56cac4377e2edd',
    spiI: '1ff4d76565b3151a',
    spiR: '1f11b8eb20d57a16',
    skeyid: `f05aa036dfce45a558d40418dea98096e519bc7841e3db3dd93658d118c3e83b502f398ecb1361ec77d38a8855efff40
      7f6f772e5d65b58eb1134096e8478d2b`,
    skeyidD: `3c4be16a631aa49018fa6740745a61ab1f1a2455a96e91f159a134ccfe30303d68721696195e95bfd530510ef2f95324
      91878710944db7854f00ad13c68fca01`,
    skeyidA: `15ecf5c80b675585e10c4388f6f9c37e8b63269a0a99851f08ba617e28c561f43eaf4112223ff97525bf0b3897f514fc
      e7a3acee10a61ae088c01efc5f643587`,
    skeyidE: `60f6b6c10c2b6bedc085ad6546d993c9ce1f86918d1c935c89d6631170a5dab0e37298f21ca3b7901a53bde55a15fad3
      9f782039ce26fc8c2ba8cbd9d4287669`,
  },
] as const;

/** RFC 2409 appendix B: `stretched` is SKEYID_e made longer, `keymat` KEYMAT with SKEYID_d in its place and one zero byte for the seed. */
export const stretched = [
  {
    prf: PRF.HMAC_SHA1,
    key: '63e81194946ebd05df7df5ebf5d8750056bf1f1d',
    stretched: `933347a07de5782247dd36d1562ffe0eecade1eb4134165257e3af1000af8ae3f165063828cbb60d910b7db38fa3c7f6
      2c4afaaf3203da065c841729853edb23e9e7ac8286ae65c8cb6c667d79268c0bd6705abb9131698eb822b1c1f9dd142f
      c7be2c1010ee0152e10195add98999c6b6d42c8fe9c1b134d56ad5f2c6f20e815bd25c52`,
    keymat: `933347a07de5782247dd36d1562ffe0eecade1ebaeaa476a5f578c34a9b2b7101a621202f61db924c5ef9efa3bb26980
      95841603b7ac8a880329a927ecd4ad53a944b607a5ac2f3d154e2748c188d7370d76be83fc204fdacf0f66b99dd760ba
      619ffac65eda1420c8a936dac5a599afaf4043b29ef2b65dc042724355b550875316c6fd`,
  },
  {
    prf: PRF.HMAC_SHA2_256,
    key: '5f00d1bd2c58ec224b1e6b71fa0f19a1faa7a193952c444411b47c1a9d8ba6fe',
    stretched: `b10fff32cbeaa1e7afe6ab0b191e0bd63cd524849a4b56019146d232a24cf9af6b89494d2a360b06825db8bb0324c15c
      ecf47fc0bc99e39bf1171a7f4bf1733dc49ef64c642e73b054b2e82456e34fa3c822da475e27e403b3da3929da50e6aa
      9e7f9252c68fa069b4b0edd374e80d35378c4f5e8ec285a1b169c92bbb5353d05ba94165`,
    keymat: `b10fff32cbeaa1e7afe6ab0b191e0bd63cd524849a4b56019146d232a24cf9af59f18ed9aabbb2dbbafecf48d72a34a8
      f72fab2ff4f37e5c917288a78ce00933612e9531a7469995c7f7cc33c7627cac3efbc819330c4fe3bfa3788799630f37
      bcb74800d82bbebd17b1906e304a786f4f810c266c15be1a30576039c293272748d65966`,
  },
  {
    prf: PRF.HMAC_SHA2_384,
    key: '69fe7a1ac94adaeb711295f5fe004b1a8d6a0b65d05692758ce8ad2f7a45f59d7d0b596f51f7dfcf3330061888f6a94f',
    stretched: `9b9a56a512cc2c5d5bcee66d03974f2701d4634b3241df132b1d2fd31fb23f003969dd7873425f771aae298871672cbf
      c908596c4d18165331b9fdff350cff787e700a140e123f2066d8d8527f53e701d23abdb3b0bc713109e33dc233c6989f
      a64b95720495c859505c5c7a7487778aab59365dafe60c7264ccde55829f60143a4bb095`,
    keymat: `9b9a56a512cc2c5d5bcee66d03974f2701d4634b3241df132b1d2fd31fb23f003969dd7873425f771aae298871672cbf
      0e0b966f3e961d3d94c2205decc285afae5aad6abe9ca6f5fb8420fb940bc7760c63c45bd577f561f3643fc98bff8e26
      663f40f225865e79cca504f527fabcfc24bd1ba8e2dbd022120f0fd9fb2caa28b031607b`,
  },
  {
    prf: PRF.HMAC_SHA2_512,
    key: `d6e74966b75fd2afab48be319d63d97c8a5d2ffe2e320763a462c664b36c3a944067d867c3a55fd8a7e5cca64b22e244
      15987e15549f09a81b455adaa5303df8`,
    stretched: `05e3de273d8a611667894a8aed01bb41984f18dc539028fa0f5252e6f05e15891faa75dfdc1f76b745d34a4820b0068e
      fa93c176f8cd00a7ed5745d6cffe78a76603cdcf2ebb482b12c8fddbaf942827891b7c423b6a3675ec62e2dcf92e96eb
      743ae58cfd7bf188a142626ea5c15325c1862fffc3889fc38e379f68552556c2232de5fb`,
    keymat: `05e3de273d8a611667894a8aed01bb41984f18dc539028fa0f5252e6f05e15891faa75dfdc1f76b745d34a4820b0068e
      fa93c176f8cd00a7ed5745d6cffe78a71de07d41ab9eb3fef764886c6edd39b32bc05943b089adda8ceed3de5160c936
      600e4b171a96172569fc4410f0dd913bfa9719cb368ffedd78d78a404749ca03c16e72c8`,
  },
] as const;
