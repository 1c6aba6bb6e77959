require('../main.js').one('detect-arch');
