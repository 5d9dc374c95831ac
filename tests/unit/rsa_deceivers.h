/* Composites made to deceive, each as a number that shows its factors: p (2 p - 1) with both prime,
 * or (6 k + 1) (12 k + 1) (18 k + 1) with all three prime, a Carmichael number (Chernick). All pass
 * Euler's test to base 2, and those of the first kind the strong test too. */
#ifndef CERTMILL_TEST_RSA_DECEIVERS_H
#define CERTMILL_TEST_RSA_DECEIVERS_H

#include <stdbool.h>

static const struct deceiver {
    unsigned bits;
    bool carmichael; /* the number is k, else p */
    const char *hex;
} deceivers[] = {
    /* with a prime only 4 above it */
    {141, false, "2d541c094c37fc3f9d"},
    {141, false, "2f39e536850e37fdf5"},
    {141, false, "2f873788b49ab787dd"},
    {141, true, "aab327c1bd1"},
    {171, false, "1771ede9acc81bf9efed1d"},
    {171, false, "179150e96a64fe8b4fbdbd"},
    {171, true, "2ab1d6b47cea32"},
    {201, false, "bf46af6e3904be89fb2298b95"},
    {201, false, "b6d0f4a450006c210a7904cf5"},
    {201, true, "aac73ec288f3923c"},
    {1024, false,
     "98cd95a158032b355b535092ec603785d9308b480b827d10da6038f0dbfe505a1f5d74522e212f8e"
     "74d0bcb41beac705ba3cb0fe451df361420f3f4cbf98e28d"},
    {1024, false,
     "990c271cf9b3e1f28ecc40c5137395aa44c7b3c6844ac0b410f9bbdad533ba6d74799b441c4f87f4"
     "eacb7f893d9e5377ba17232d3e6fd0107346e9a1371bbb95"},
    {1024, true,
     "35ce685e4bef744cfafb26e616cf4f72ac9ac39ad1334c493cd9a21a05d1d4f06f19fc35f448cf97"
     "42c6c"},
    {1536, false,
     "a1ef0dfccd5d9c1f7aaaab030910655361ea06694a76eca91526664980a9a8fe2c652d8709cea1e5"
     "2f940e56ddcd4e697f81bf35d1b61989fb2114febbb3143bc3ff4eba519e3275d9decc11b4f6d42f"
     "8487b6d0c1a133365d12d5bad69bc3f5"},
    {1536, false,
     "8e81cc21e3a6b1fbed86bd443cedc6e8c41d411af5366bc7dc4a8b1abcd898049fd569893e6fb65b"
     "1f0a7f2fb16e99080633ae3c4b0162bed48df92c27a7dae9448b569bc5cd84ef66dda7db2f58e90b"
     "c4a0c862621d7af97a95008d159cfddd"},
    {1536, true,
     "15557b01c5d86787252e212cfe472a1dc15ceb15f2e505a4f48129ceaa702a91445ca09fe6f3001d"
     "15c65f616fbacf8cd7a39a7e9cc18411b7ce1eaaacdda2de"},
    {2048, false,
     "881897809776422c819ac0342914c4715795b858a67cbc244717668811b08ab591523e1bf4501e9a"
     "7505df04bbd90d33e6c77ed53897f140a5dac0a11bbed55679e86b1ebad5ce336d6b70af9a3dabac"
     "beca00c2dfa7102aaf70606c1234b87cedee05355bf1be3cfe9cecce31783f413b3c4efc9ef188b6"
     "efecf25f89b7548d"},
    {2048, false,
     "af6833a80c0beb4fc66c8641cbcc8fc81bac64ab559c99602128486baa43006e6968aeb364a45db8"
     "5ed4275c6849253e9ad672f4546952687b07f75b08c65910db43669eb5690665cb775c32c20f08bf"
     "2a35373a4693b518dd184a6656eb0048303dfaad474b53d827de57398fc1b1bfa39c4b9fe5d84ab3"
     "f9ea2cf31ac3d945"},
    {2048, true,
     "87831a23a8342ed97fe6f138675f888294c2b67c53c2dcc67f66414945d98bdb0506e1e282aabdd6"
     "cc831426527d34cdbb865483b7555ea34938a06adce71b9e9c16968f5a684b0c95845fa9118fc137"
     "17be9d94fc"},
};

#define DECEIVERS (sizeof deceivers / sizeof deceivers[0])

#endif
